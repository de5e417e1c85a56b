//! What is made of numbers.

/// Median, smallest and largest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// How a cost may grow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Growth {
    /// Not at all: the cost of one must not depend on how many there are.
    Flat,
    /// As what is counted.
    Linear,
}

impl Spread {
    /// Nothing where there are no numbers.
    pub(crate) fn of(numbers: &[f64]) -> Option<Self> {
        let mut sorted = numbers.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let half = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            1 => sorted[half],
            _ => f64::midpoint(sorted[half - 1], sorted[half]),
        };
        Some(Self { median, low, high })
    }
}

/// The number that so much of all, from 0 to 1, are not above; the numbers are sorted for it.
pub(crate) fn percentile(numbers: &mut [u32], part: f64) -> Option<u32> {
    numbers.sort_unstable();
    let rank = (part * numbers.len() as f64).ceil() as usize;
    numbers.get(rank.max(1) - 1).copied()
}

/// What one had of what the other had, round by round: what slows the machine slows both.
pub(crate) fn ratios(ours: &[Option<f64>], theirs: &[Option<f64>]) -> Vec<f64> {
    let rounds = ours.iter().zip(theirs);
    rounds.filter_map(|(ours, theirs)| Some((*ours)? / (*theirs)?)).collect()
}

/// Which points of a curve, as size and cost, lie so far above the best of the smaller sizes that noise
/// does not explain it.
pub(crate) fn bends(points: &[(f64, f64)], growth: Growth) -> Vec<bool> {
    let cost = |(size, cost): &(f64, f64)| match growth {
        Growth::Flat => *cost,
        Growth::Linear => *cost / *size,
    };
    let mut best = f64::INFINITY;
    let judge = |point| {
        let cost = cost(point);
        let is_bend = cost > best * TOLERANCE;
        best = best.min(cost);
        is_bend
    };
    points.iter().map(judge).collect()
}

/// By how much equal work may differ on a machine that others use too.
const TOLERANCE: f64 = 1.4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_lies_in_the_middle() {
        let spread = |numbers: &[f64]| Spread::of(numbers).map(|spread| spread.median);
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(Spread::of(&[5.0, 1.0]), Some(Spread { median: 3.0, low: 1.0, high: 5.0 }));
    }

    #[test]
    fn a_percentile_is_one_of_the_numbers() {
        let mut numbers: Vec<u32> = (1..=100).rev().collect();
        assert_eq!(percentile(&mut numbers, 0.5), Some(50));
        assert_eq!(percentile(&mut numbers, 0.99), Some(99));
        assert_eq!(percentile(&mut numbers, 1.0), Some(100));
        assert_eq!(percentile(&mut [7], 0.0), Some(7));
        assert_eq!(percentile(&mut [], 0.5), None);
    }

    #[test]
    fn a_round_that_failed_has_no_ratio() {
        let ours = [Some(2.0), None, Some(9.0)];
        assert_eq!(ratios(&ours, &[Some(1.0), Some(1.0), Some(3.0)]), [2.0, 3.0]);
    }

    #[test]
    fn a_cost_that_rises_is_a_bend_and_one_that_falls_is_none() {
        let flat = |costs: &[f64]| {
            let points: Vec<_> = costs.iter().map(|cost| (1.0, *cost)).collect();
            bends(&points, Growth::Flat)
        };
        assert_eq!(flat(&[9.0, 5.0, 5.5, 6.9]), [false; 4]);
        assert_eq!(flat(&[5.0, 5.0, 8.0]), [false, false, true]);
    }

    #[test]
    fn a_cost_that_rises_with_what_is_counted_is_no_bend_where_it_may() {
        let points = [(10.0, 20.0), (100.0, 150.0), (1_000.0, 1_500.0), (2_000.0, 9_000.0)];
        assert_eq!(bends(&points, Growth::Linear), [false, false, false, true]);
    }
}
