//! Sizes and spans as people write and read them.

use jiff::Timestamp;

use crate::spec::SpecError;

/// `64m`, `1.5g`, `1048576`: bytes, with Docker's units (powers of 1024).
pub fn parse_bytes(text: &str) -> Result<u64, SpecError> {
    let bad = || {
        SpecError::new(format!("invalid size {text:?}"))
            .hint("a number with a unit b, k, m or g, such as 64m")
    };
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: f64 = match &lower[digits.len()..] {
        "" | "b" => 1.0,
        "k" | "kb" | "kib" => 1024.0,
        "m" | "mb" | "mib" => 1024f64.powi(2),
        "g" | "gb" | "gib" => 1024f64.powi(3),
        "t" | "tb" | "tib" => 1024f64.powi(4),
        _ => return Err(bad()),
    };
    let number: f64 = digits.parse().map_err(|_| bad())?;
    if !number.is_finite() || number < 0.0 || number * factor > i64::MAX as f64 {
        return Err(bad());
    }
    Ok((number * factor) as u64)
}

/// `1.5` CPUs in thousandths.
pub fn parse_cpus(text: &str) -> Result<u64, SpecError> {
    match text.parse::<f64>() {
        Ok(n) if n.is_finite() && n > 0.0 && n < 1e6 => Ok((n * 1000.0).round() as u64),
        _ => {
            Err(SpecError::new(format!("invalid --cpus {text:?}")).hint("a number of CPUs, such as 0.5 or 2"))
        }
    }
}

/// Bytes as Docker prints them: `1.23MB`, powers of 1000, four digits at most.
pub fn bytes(n: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit < units.len() - 1 {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if unit == 0 || value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{}", units[unit])
}

/// How long ago, as Docker says it: `5 seconds`, `About an hour`, `3 weeks`.
pub fn span(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - since.as_second();
    let (minutes, hours) = (seconds / 60, (seconds as f64 / 3600.0).round() as i64);
    match seconds {
        ..1 => "Less than a second".into(),
        1 => "1 second".into(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".into(),
        120..3600 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".into(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

/// A moment as Docker prints it in lists: `2026-01-31 12:00:00 +0000 UTC`.
pub fn moment(t: Timestamp) -> String {
    let zoned = t.to_zoned(jiff::tz::TimeZone::UTC);
    format!("{} +0000 UTC", zoned.strftime("%Y-%m-%d %H:%M:%S"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans() {
        assert_eq!(parse_bytes("64m").unwrap(), 64 << 20);
        assert_eq!(parse_bytes("1.5G").unwrap(), 3 << 29);
        assert_eq!(parse_bytes("10").unwrap(), 10);
        for bad in ["", "m", "-1", "1x", "1e30g", "nan"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_cpus("0.5").unwrap(), 500);
        assert!(parse_cpus("0").is_err() && parse_cpus("x").is_err());
        assert_eq!(
            [bytes(0), bytes(999), bytes(1_234_567), bytes(20_000_000)],
            ["0B", "999B", "1.23MB", "20MB"]
        );
        let t = |s| Timestamp::from_second(s).unwrap();
        let spans = [(0, 0), (0, 5), (0, 61), (0, 600), (0, 3700), (0, 90_000), (0, 86_400 * 5)];
        let words: Vec<_> = spans.iter().map(|(a, b)| span(t(*a), t(*b))).collect();
        assert_eq!(
            words,
            [
                "Less than a second",
                "5 seconds",
                "About a minute",
                "10 minutes",
                "About an hour",
                "25 hours",
                "5 days"
            ]
        );
    }
}
