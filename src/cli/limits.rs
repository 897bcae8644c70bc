//! How far a layer may grow when it is unpacked: flags over configuration.

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::sizes::parse_bytes;
use crate::image::layers::Limits;

/// Flags of every command that unpacks what others made.
#[derive(Clone, Debug, Default, Args)]
pub struct LimitArgs {
    /// Refuse a layer that expands to more than this many times its size [default: 250]
    #[arg(long, value_name = "N")]
    layer_ratio: Option<u64>,
    /// Refuse a layer with more bytes of holes in sparse files than this, such as 10g [default: 2t]
    #[arg(long, value_name = "SIZE")]
    layer_holes: Option<String>,
}

impl LimitArgs {
    /// The limits.
    pub fn limits(&self, context: &Context) -> Result<Limits, CliError> {
        let mut limits = context.limits;
        set(&mut limits, self.layer_ratio, self.layer_holes.as_deref())?;
        Ok(limits)
    }
}

/// Changes what is given.
pub fn set(limits: &mut Limits, ratio: Option<u64>, holes: Option<&str>) -> Result<(), CliError> {
    if let Some(ratio) = ratio {
        if ratio == 0 {
            return Err(CliError::new("a layer ratio of 0 allows nothing").hint("give a number such as 250"));
        }
        limits.ratio = ratio;
    }
    if let Some(holes) = holes {
        limits.holes = parse_bytes(holes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_set_and_nothing_else() {
        let mut limits = Limits::default();
        set(&mut limits, Some(1000), Some("4k")).unwrap();
        assert_eq!(limits, Limits { ratio: 1000, holes: 4096, ..Limits::default() });
        assert!(set(&mut limits, Some(0), None).is_err() && set(&mut limits, None, Some("many")).is_err());
    }
}
