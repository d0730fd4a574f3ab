//! Whether Keyside's primes are spread as they should be.

use core::f64::consts::FRAC_1_SQRT_2;

use serde::Serialize;
use statrs::distribution::{ChiSquared, ContinuousCDF};
use statrs::stats_tests::NaNPolicy;
use statrs::stats_tests::ks_test::{KSTwoSampleAlternativeMethod, ks_twosample};

use crate::Result;
use crate::sample::Sample;

/// A difference counts where chance alone would make one as large in fewer than one of a thousand runs.
const LEVEL: f64 = 0.001;

/// How many parts the range of the primes is cut into. Each should have some five primes at least for the test's approximation to hold.
const BINS: u32 = 32;

/// The library sets the top two bits.
const LIBRARY_SMALLEST: f64 = 0.75;

const CHI_SQUARED: &str = "chi-squared";
const KOLMOGOROV_SMIRNOV: &str = "Kolmogorov-Smirnov";

/// The outcome of one test.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    what: &'static str,
    of_whom: &'static str,
    test: &'static str,
    /// How often chance alone makes a difference as large as the one found.
    p: f64,
}

impl Comparison {
    fn new(what: &'static str, of_whom: &'static str, test: &'static str, p: f64) -> Self {
        Self { what, of_whom, test, p }
    }
}

/// Compares, and prints the p-values.
pub(crate) fn compare(keyside: &Sample, library: &Sample, uniform: &Sample) -> Result<[Comparison; 5]> {
    for (name, sample) in [("Keyside", keyside), ("rsa", library), ("uniform", uniform)] {
        let gaps = sample.gaps();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        println!("{name:8} {} primes, mean distance to the prime before {mean:.0}", gaps.len());
    }
    println!("         (of all primes near 2^1024: 710; of the next prime after a random start: 1420)\n");
    let comparisons = [
        Comparison::new("top bits", "Keyside and uniform", CHI_SQUARED, chi_squared(keyside, uniform, FRAC_1_SQRT_2)?),
        Comparison::new(
            "top bits from 0.75 on",
            "Keyside and rsa",
            CHI_SQUARED,
            chi_squared(keyside, library, LIBRARY_SMALLEST)?,
        ),
        Comparison::new(
            "gaps",
            "Keyside and uniform",
            KOLMOGOROV_SMIRNOV,
            kolmogorov_smirnov(keyside.gaps(), uniform.gaps())?,
        ),
        Comparison::new(
            "gaps",
            "Keyside and rsa",
            KOLMOGOROV_SMIRNOV,
            kolmogorov_smirnov(keyside.gaps(), library.gaps())?,
        ),
        Comparison::new(
            "gaps",
            "rsa and uniform",
            KOLMOGOROV_SMIRNOV,
            kolmogorov_smirnov(library.gaps(), uniform.gaps())?,
        ),
    ];
    println!("| what | of whom | test | p |\n|------|---------|------|---|");
    for Comparison { what, of_whom, test, p } in &comparisons {
        println!("| {what} | {of_whom} | {test} | {p:.3e} |");
    }
    println!();
    Ok(comparisons)
}

/// Fails where Keyside's primes are spread differently from uniform ones, or where there are too few to tell.
pub(crate) fn judge([top_bits, beside_library, gaps, _, control]: &[Comparison; 5]) -> Result<()> {
    if control.p >= LEVEL {
        // The library goes up to the next prime, which prefers primes after long gaps: a bias that the test must see to be worth something.
        return Err(format!(
            "too few keys to tell: the known bias of the library's search does not show (p = {:.3e})",
            control.p
        ));
    }
    let differing: Vec<_> = [top_bits, beside_library, gaps]
        .into_iter()
        .filter(|comparison| comparison.p < LEVEL)
        .map(|Comparison { what, of_whom, p, .. }| format!("{what}, {of_whom} (p = {p:.3e})"))
        .collect();
    if differing.is_empty() {
        println!(
            "At the level {LEVEL} Keyside’s primes are spread as uniform ones, in their top bits and in their gaps."
        );
        Ok(())
    } else {
        Err(format!("at the level {LEVEL} Keyside’s primes are spread differently: {}", differing.join(", ")))
    }
}

/// The p-value of the chi-squared test that the top bits of both, from `lowest` on, are spread alike.
fn chi_squared(one: &Sample, other: &Sample, lowest: f64) -> Result<f64> {
    let (one, other) = (one.fractions(lowest), other.fractions(lowest));
    let bins = |fractions: &[f64], bin: u32| {
        let width = (1. - lowest) / f64::from(BINS);
        let low = lowest + f64::from(bin) * width;
        fractions.iter().filter(|fraction| (low..low + width).contains(*fraction)).count() as f64
    };
    let scale = (other.len() as f64 / one.len() as f64).sqrt();
    let mut freedom = -1.;
    let mut sum = 0.;
    for bin in 0..BINS {
        let (of_one, of_other) = (bins(&one, bin), bins(&other, bin));
        if of_one + of_other > 0. {
            freedom += 1.;
            sum += (scale * of_one - of_other / scale).powi(2) / (of_one + of_other);
        }
    }
    ChiSquared::new(freedom).map(|distribution| distribution.sf(sum)).map_err(|error| error.to_string())
}

/// The p-value of the two-sample Kolmogorov-Smirnov test that both are spread alike.
fn kolmogorov_smirnov(one: Vec<f64>, other: Vec<f64>) -> Result<f64> {
    ks_twosample(one, other, KSTwoSampleAlternativeMethod::TwoSidedAsymptotic, NaNPolicy::Error)
        .map(|(_, p)| p)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;
    use crate::sample::Measured;

    /// Fractions and gaps spread evenly over these ranges.
    fn even(fractions: core::ops::Range<f64>, gaps: u32) -> Sample {
        let at = |i: u32| f64::from(i) / 4000.;
        let fraction = |i| fractions.start + at(i) * (fractions.end - fractions.start);
        Sample::from((0..4000).map(|i| Measured { fraction: fraction(i), gap: i * gaps / 4000 }).collect::<Vec<_>>())
    }

    #[test]
    fn alike_passes_and_different_fails() {
        let (uniform, library) = (even(FRAC_1_SQRT_2..1., 1400), even(0.75..1., 2800));
        let verdict = |keyside: &Sample| judge(&compare(keyside, &library, &uniform).unwrap());
        assert_eq!(verdict(&even(FRAC_1_SQRT_2..1., 1396)), Ok(()));
        for different in [even(0.75..1., 1396), even(FRAC_1_SQRT_2..0.99, 1396), even(FRAC_1_SQRT_2..1., 1600)] {
            assert!(verdict(&different).is_err_and(|fault| fault.contains("spread differently")));
        }
    }

    #[test]
    fn a_known_bias_that_does_not_show_is_no_pass() {
        let uniform = even(FRAC_1_SQRT_2..1., 1400);
        let verdict =
            judge(&compare(&uniform, &even(FRAC_1_SQRT_2..1., 1396), &even(FRAC_1_SQRT_2..1., 1404)).unwrap());
        assert!(verdict.is_err_and(|fault| fault.starts_with("too few keys")));
    }

    #[test]
    fn the_p_values_are_those_of_the_tables() {
        // Two of 32 classes, 60 to 40 against 40 to 60: chi-squared is 8 with one degree of freedom.
        let sample = |low: usize, high: usize| {
            let fractions = core::iter::repeat_n(0.51, low).chain(core::iter::repeat_n(0.99, high));
            Sample::from(fractions.map(|fraction| Measured { fraction, gap: 2 }).collect::<Vec<_>>())
        };
        let p = chi_squared(&sample(60, 40), &sample(40, 60), 0.5).unwrap();
        assert!((p - 0.004_677_7).abs() < 1e-6, "{p}");
        // Half of 200 lie below all of the others: D = 1/2, and λ = 5.
        let values = |from: u32| (from..from + 200).map(f64::from).collect::<Vec<_>>();
        let p = kolmogorov_smirnov(values(0), values(100)).unwrap();
        assert!(p < 1e-20, "{p}");
    }
}
