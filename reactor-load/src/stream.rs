//! One connection: TCP or Unix, with or without TLS.

use std::{
    io,
    net::TcpStream as StdTcpStream,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use rustls_native_certs::load_native_certs;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    time,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::CryptoProvider,
        pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
    },
};

use crate::{
    cli::Load,
    record::Failure,
    sources::Sources,
    target::{Place, Target},
};

/// What makes connections.
pub struct Connector {
    place: Place,
    sources: Option<Sources>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeout: Duration,
}

impl Connector {
    /// # Errors
    ///
    /// What is wrong with the certificates or the name, in words.
    pub fn new(target: &Target, load: &Load) -> Result<Self, String> {
        let sources = match &target.place {
            Place::Inet(address) => Some(Sources::new(&load.sources, *address)),
            Place::Unix(_) => None,
        };
        let tls = if target.tls || load.tls {
            let name = load
                .server_name
                .clone()
                .unwrap_or_else(|| target.host.clone());
            let server = ServerName::try_from(name.clone())
                .map_err(|_| format!("{name}: no name of a server"))?;
            Some((TlsConnector::from(Arc::new(tls_config(load)?)), server))
        } else {
            None
        };
        Ok(Self {
            place: target.place.clone(),
            sources,
            tls,
            timeout: load.timeout,
        })
    }

    /// A connection that is ready for the first message, its TLS handshake included.
    pub async fn connect(&self) -> Result<Stream, Failure> {
        time::timeout(self.timeout, self.connect_without_end())
            .await
            .unwrap_or(Err(Failure::TimedOut))
    }

    async fn connect_without_end(&self) -> Result<Stream, Failure> {
        let raw = match (&self.place, &self.sources) {
            (Place::Inet(address), Some(sources)) => {
                let socket = sources.connect(*address)?;
                let stream = TcpStream::from_std(StdTcpStream::from(socket))?;
                stream.writable().await?;
                if let Some(error) = stream.take_error()? {
                    return Err(error.into());
                }
                // A port that nobody listens on may become the connection's own, which then answers itself, and never wrongly.
                if stream.local_addr()? == *address {
                    return Err(Failure::Refused);
                }
                Raw::Tcp(stream)
            }
            (Place::Unix(path), _) => Raw::Unix(connect_unix(path).await?),
            (Place::Inet(address), None) => Raw::Tcp(TcpStream::connect(address).await?),
        };
        match &self.tls {
            None => Ok(Stream::Plain(raw)),
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), raw).await;
                stream
                    .map(|stream| Stream::Tls(Box::new(stream)))
                    .map_err(from_tls)
            }
        }
    }
}

/// A Unix listener whose queue is full refuses for the moment (`EAGAIN`).
async fn connect_unix(path: &std::path::Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {
                time::sleep(Duration::from_millis(1)).await;
            }
            result => return result,
        }
    }
}

fn from_tls(error: io::Error) -> Failure {
    if error.get_ref().is_some() && error.kind() == io::ErrorKind::InvalidData {
        return Failure::Tls(error.to_string());
    }
    error.into()
}

fn tls_config(load: &Load) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder();
    if load.insecure {
        let provider = CryptoProvider::get_default().cloned();
        let provider = provider.unwrap_or_else(|| builder.crypto_provider().clone());
        return Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(NoCheck(provider)))
            .with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    let certificates: Vec<CertificateDer<'static>> = match &load.ca {
        Some(file) => CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect)
            .map_err(|error| format!("{}: {error}", file.display()))?,
        None => load_native_certs().certs,
    };
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err("no certificate to trust (--ca FILE, or --insecure)".into());
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// For servers whose certificate nobody has signed.
#[derive(Debug)]
struct NoCheck(Arc<CryptoProvider>);

impl ServerCertVerifier for NoCheck {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, tokio_rustls::rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, tokio_rustls::rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, tokio_rustls::rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

pub enum Raw {
    Tcp(TcpStream),
    Unix(UnixStream),
}

pub enum Stream {
    Plain(Raw),
    /// Its state is some kilobytes.
    Tls(Box<TlsStream<Raw>>),
}

impl Stream {
    /// Closes with a reset, so that the port is free at once. A Unix socket has none.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn reset_on_close(&self) -> io::Result<()> {
        let raw = match self {
            Self::Plain(raw) => raw,
            Self::Tls(stream) => stream.get_ref().0,
        };
        match raw {
            Raw::Tcp(stream) => SockRef::from(stream).set_linger(Some(Duration::ZERO)),
            Raw::Unix(_) => Ok(()),
        }
    }
}

macro_rules! each {
    ($self:ident, $variants:ident :: {$($variant:ident),*}, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            $($variants::$variant($stream) => {
                let $stream = Pin::new($stream);
                $call
            })*
        }
    };
}

macro_rules! forward {
    ($name:ident :: {$($variant:ident),*}) => {
        impl AsyncRead for $name {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                each!(self, $name::{$($variant),*}, stream => stream.poll_read(cx, buffer))
            }
        }

        impl AsyncWrite for $name {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
                each!(self, $name::{$($variant),*}, stream => stream.poll_write(cx, data))
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                each!(self, $name::{$($variant),*}, stream => stream.poll_flush(cx))
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                each!(self, $name::{$($variant),*}, stream => stream.poll_shutdown(cx))
            }
        }
    };
}

forward!(Raw::{Tcp, Unix});
forward!(Stream::{Plain, Tls});
