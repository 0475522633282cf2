#!/bin/sh
# Makes the certificates of the TLS suites anew: one authority, two servers, one client; elliptic curves, valid for a century.
set -eu
cd "$(dirname "$0")"
umask 022

issue() { # name, common name, extensions
    openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
    openssl req -new -key "$1.key" -subj "/O=rustpython-reactor tests/CN=$2" |
        openssl x509 -req -CA authority.pem -CAkey authority.key -days 36500 -sha256 \
            -set_serial "$(od -An -N8 -tu8 /dev/urandom | tr -d ' ')" -extfile "$3" -out "$1.crt"
    # As load_cert_chain takes them: the certificate and its key in one file.
    cat "$1.crt" "$1.key" > "$1.pem"
    rm "$1.crt" "$1.key"
}

extensions=$(mktemp)
# The key identifiers are what OpenSSL's strict checks ask for (create_default_context since 3.13).
leaf='basicConstraints=critical,CA:FALSE
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
keyUsage=critical,digitalSignature'
trap 'rm -f "$extensions" authority.key' EXIT

openssl ecparam -name prime256v1 -genkey -noout -out authority.key
openssl req -x509 -new -key authority.key -days 36500 -sha256 -out authority.pem \
    -subj "/O=rustpython-reactor tests/CN=Test Authority" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign

printf '%s\n' "$leaf" 'extendedKeyUsage=serverAuth' \
    'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' > "$extensions"
issue server localhost "$extensions"
printf '%s\n' "$leaf" 'extendedKeyUsage=serverAuth' \
    'subjectAltName=DNS:other.test' > "$extensions"
issue other other.test "$extensions"
printf '%s\n' "$leaf" 'extendedKeyUsage=clientAuth' \
    'subjectAltName=email:client@other.test' > "$extensions"
issue client client "$extensions"
