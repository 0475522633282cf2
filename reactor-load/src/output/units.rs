//! Figures as people read them. Rates of bytes are decimal (kB: 1,000), memory is binary (KiB: 1,024), as their units say.

/// Thousands apart: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Of something a second: whole where it is large.
pub fn rate(per_second: f64) -> String {
    if per_second >= 1000.0 {
        count(per_second.round() as u64)
    } else {
        significant(per_second)
    }
}

/// `812 us`, `1.25 ms`, `12.3 s`.
pub fn latency(microseconds: f64) -> String {
    scaled(microseconds, 1e3, &["us", "ms"]).unwrap_or_else(|| seconds(microseconds / 1e6))
}

/// `9.98 s`.
pub fn seconds(seconds: f64) -> String {
    format!("{} s", significant(seconds))
}

/// `790 kB`.
pub fn decimal_bytes(bytes: f64) -> String {
    scaled(bytes, 1e3, &["B", "kB", "MB", "GB"])
        .unwrap_or_else(|| format!("{} TB", significant(bytes / 1e12)))
}

/// `12.3 MiB`.
pub fn binary_bytes(bytes: f64) -> String {
    scaled(bytes, 1024.0, &["B", "KiB", "MiB", "GiB"])
        .unwrap_or_else(|| format!("{} TiB", significant(bytes / 1024f64.powi(4))))
}

/// In the first unit in which it has three digits before the point at most; none if it is too large for all.
fn scaled(value: f64, step: f64, units: &[&str]) -> Option<String> {
    let mut value = value;
    for unit in units {
        // What would be rounded to four digits belongs to the next unit.
        if value.abs() < 999.5 {
            return Some(format!("{} {unit}", significant(value)));
        }
        value /= step;
    }
    None
}

/// Three digits that mean something; all of those before the point.
pub fn significant(value: f64) -> String {
    if !value.is_finite() {
        return "-".into();
    }
    match value.abs() {
        size if size >= 99.95 => count(size.round() as u64).signed(value),
        size if size >= 9.995 => format!("{value:.1}"),
        0.0 => "0".into(),
        _ => format!("{value:.2}"),
    }
}

trait Signed {
    fn signed(self, of: f64) -> Self;
}

impl Signed for String {
    fn signed(self, of: f64) -> Self {
        if of < 0.0 { format!("-{self}") } else { self }
    }
}

/// Whether so many values say anything of a quantile: one of them at least has to lie above it.
pub fn tells(quantile: f64, count: u64) -> bool {
    // Rounded, as 1 - 0.999 is no thousandth in binary.
    count as f64 * (1.0 - quantile) >= 1.0 - 1e-6
}

/// `none` where there are too few values to tell.
pub fn quantile(quantile: f64, microseconds: f64, count: u64) -> String {
    if tells(quantile, count) {
        latency(microseconds)
    } else {
        "-".into()
    }
}

/// Text from outside on one line and without what a terminal takes for a command.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|char| {
            if char.is_whitespace() {
                ' '
            } else if char.is_control() {
                '\u{fffd}'
            } else {
                char
            }
        })
        .collect()
}

/// One word in its number.
pub fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn a_time_has_three_digits_and_its_unit() {
        for (microseconds, text) in [
            (0.0, "0 us"),
            (0.5, "0.50 us"),
            (9.996, "10.0 us"),
            (99.96, "100 us"),
            (999.4, "999 us"),
            (999.6, "1.00 ms"),
            (1500.0, "1.50 ms"),
            (999_600.0, "1.00 s"),
            (12_340_000.0, "12.3 s"),
            (5_000_000_000.0, "5,000 s"),
        ] {
            assert_eq!(latency(microseconds), text);
        }
    }

    #[test]
    fn bytes_are_decimal_or_binary() {
        assert_eq!(decimal_bytes(999.0), "999 B");
        assert_eq!(decimal_bytes(1500.0), "1.50 kB");
        assert_eq!(binary_bytes(1536.0), "1.50 KiB");
        assert_eq!(binary_bytes(1023.0), "1.00 KiB");
        assert_eq!(binary_bytes(3.5 * 1024f64.powi(3)), "3.50 GiB");
        assert_eq!(binary_bytes(-2048.0), "-2.00 KiB");
        assert_eq!(binary_bytes(-200.0 * 1024.0), "-200 KiB");
        assert_eq!(decimal_bytes(f64::NAN), "- TB");
    }

    #[test]
    fn few_values_say_nothing_of_high_quantiles() {
        assert_eq!(quantile(0.999, 5.0, 999), "-");
        assert_eq!(quantile(0.999, 5.0, 1000), "5.00 us");
        assert_eq!(quantile(0.99, 5.0, 99), "-");
        assert_eq!(quantile(0.99, 5.0, 100), "5.00 us");
        assert_eq!(quantile(0.5, 5.0, 1), "-");
        assert_eq!(quantile(0.5, 5.0, 2), "5.00 us");
    }

    #[test]
    fn a_terminal_gets_no_command() {
        assert_eq!(plain("a\x1b[2Jb\nc"), "a\u{fffd}[2Jb c");
    }
}
