//! What a delivery costs, and what is kept, from few to many: nothing may get dearer unnoticed.

mod curves;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

pub(crate) use curves::CURVES;

use crate::report::number;
use crate::scenario::Effort;
use crate::stats::{Growth, bends};
use crate::subject::{Programs, Role, Subject};

/// What grows, and what is looked at.
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    sizes: &'static [usize],
    columns: &'static [Watched],
    run: fn(&Subject, &Effort, usize) -> Result<Vec<f64>>,
}

/// A figure, and how it may grow.
struct Watched {
    title: &'static str,
    digits: usize,
    /// Nothing where it may be anything.
    growth: Option<Growth>,
}

/// Measures and prints these curves.
pub(crate) fn measure(curves: &[&Curve], programs: &Programs, effort: &Effort) -> Result<Value> {
    let subject = programs.subjects(&[Role::Ours])?.swap_remove(0);
    let mut all = Vec::new();
    for curve in curves {
        let mut points: Vec<(usize, Vec<f64>)> = Vec::new();
        for size in curve.sizes(effort) {
            eprint!("\r{:<60}", format!("growth: {}, {}", curve.name, number(size as f64, 0)));
            let figures = (curve.run)(&subject, effort, size)
                .with_context(|| format!("growth: {} {size}", curve.name))?;
            points.push((size, figures));
        }
        eprint!("\r{:<60}\r", "");
        let bends = curve.bends(&points);
        println!("{}", curve.table(&points, &bends));
        all.push(curve.json(&points, &bends));
    }
    Ok(all.into())
}

impl Curve {
    /// How large it is to be where only so much is possible.
    fn sizes(&self, effort: &Effort) -> Vec<usize> {
        let few = if effort.is_tiny { FEW } else { self.sizes.len() };
        let most = match self.name {
            _ if effort.is_tiny => SMALL,
            "subscribers" => effort.clients,
            _ => usize::MAX,
        };
        let mut sizes: Vec<usize> =
            self.sizes.iter().take(few).map(|size| (*size).min(most)).collect();
        sizes.dedup();
        sizes
    }

    /// Of each column, which of its points are dearer than they may be.
    fn bends(&self, points: &[(usize, Vec<f64>)]) -> Vec<Vec<bool>> {
        let column = |(index, watched): (usize, &Watched)| match watched.growth {
            None => vec![false; points.len()],
            Some(growth) => {
                let points = points.iter().map(|(size, figures)| (*size as f64, figures[index]));
                bends(&points.collect::<Vec<_>>(), growth)
            }
        };
        self.columns.iter().enumerate().map(column).collect()
    }

    fn table(&self, points: &[(usize, Vec<f64>)], bends: &[Vec<bool>]) -> String {
        let titles: Vec<_> = self.columns.iter().map(|column| column.title).collect();
        let mut text = format!("\n{}: {}\n\n", self.name, self.about);
        text += &format!(
            "| {} | {} |\n|---|{}\n",
            self.name,
            titles.join(" | "),
            "---|".repeat(titles.len())
        );
        for (row, (size, figures)) in points.iter().enumerate() {
            text += &format!("| {} |", number(*size as f64, 0));
            for (column, figure) in figures.iter().enumerate() {
                let mark = if bends[column][row] { " ↑" } else { "" };
                text += &format!(" {}{mark} |", number(*figure, self.columns[column].digits));
            }
            text += "\n";
        }
        if bends.iter().flatten().any(|is_bend| *is_bend) {
            text += "\n↑ bends upward: more than 1.4 times the best of the smaller sizes, where it should \
                     stay the same or grow with the size.\n";
        }
        text
    }

    fn json(&self, points: &[(usize, Vec<f64>)], bends: &[Vec<bool>]) -> Value {
        let titles: Vec<_> = self.columns.iter().map(|column| column.title).collect();
        let points = points.iter().enumerate().map(|(row, (size, figures))| {
            let bends: Vec<_> = bends.iter().map(|column| column[row]).collect();
            json!({ "size": size, "figures": figures, "bends": bends })
        });
        json!({ "name": self.name, "columns": titles, "points": points.collect::<Vec<_>>() })
    }
}

/// How many sizes show that it works.
const FEW: usize = 3;
const SMALL: usize = 300;
