//! Medians and quartiles, of figures and of their ratios.

use serde::Serialize;

/// The value below which `part` (0 to 1) of `values` lies, between two of them by their distance. None without values.
fn quantile(values: &[f64], part: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = part * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (place.floor(), place.ceil());
    let (below, above) = (sorted.get(low as usize)?, sorted.get(high as usize)?);
    Some(below + (above - below) * (place - low))
}

pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// Ours divided by theirs, over the rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    pub median: f64,
    /// The quartiles: half of the rounds were between them.
    pub low: f64,
    pub high: f64,
}

impl Ratio {
    /// Of figures taken in pairs, one after the other: what slows the machine down for a while slows both. A pair with
    /// nothing to divide by does not count. None without pairs.
    pub fn of(pairs: impl IntoIterator<Item = (f64, f64)>) -> Option<Self> {
        let ratios: Vec<f64> = pairs
            .into_iter()
            .filter(|(_, theirs)| *theirs > 0.0)
            .map(|(ours, theirs)| ours / theirs)
            .collect();
        Some(Self {
            median: median(&ratios)?,
            low: quantile(&ratios, 0.25)?,
            high: quantile(&ratios, 0.75)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_few() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
        assert_eq!(median(&[9.0, 1.0, 4.0]), Some(4.0));
    }

    #[test]
    fn quartiles_lie_between_values() {
        let values = [50.0, 10.0, 40.0, 20.0, 30.0];
        assert_eq!(quantile(&values, 0.25), Some(20.0));
        assert_eq!(quantile(&values, 0.75), Some(40.0));
        assert_eq!(quantile(&values[..4], 0.25), Some(17.5));
        assert_eq!(quantile(&values, 1.0), Some(50.0));
    }

    #[test]
    fn the_ratio_is_of_pairs_and_not_of_medians() {
        // The machine was twice as slow in the second round, for both.
        let ratio = Ratio::of([(1.0, 2.0), (2.0, 4.0), (1.0, 1.0)]);
        assert_eq!(
            ratio,
            Some(Ratio {
                median: 0.5,
                low: 0.5,
                high: 0.75
            })
        );
    }

    #[test]
    fn a_ratio_to_nothing_is_none() {
        assert_eq!(Ratio::of([]), None);
        assert_eq!(Ratio::of([(1.0, 0.0)]), None);
        assert!(Ratio::of([(1.0, 0.0), (3.0, 2.0)]).is_some_and(|ratio| ratio.median == 1.5));
    }
}
