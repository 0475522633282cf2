//! Line charts as inline SVG. Colours are those of the page's style sheet, so that they follow its scheme.

use std::fmt::Write;

use crate::output::html::escape;

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 280.0;
/// Around the plot: room for the legend, and for the axes' figures.
const TOP: f64 = 42.0;
const BOTTOM: f64 = 40.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 14.0;

/// Above this ratio of the largest value to the smallest a linear axis would show only the largest.
const LINEAR_UP_TO: f64 = 30.0;

/// One line. A point without a value is a gap.
pub struct Series<'a> {
    pub name: &'a str,
    pub points: Vec<(f64, Option<f64>)>,
}

/// The horizontal axis.
pub enum Across {
    Seconds,
    /// `x` is the number of nines: 2 is 99 %.
    Nines,
}

pub struct Chart<'a> {
    /// Distinguishes it in the page.
    pub id: &'a str,
    pub title: &'a str,
    /// What a reader who does not see it has to know.
    pub description: &'a str,
    pub across: Across,
    /// Writes a value of the vertical axis with its unit.
    pub unit: fn(f64) -> String,
    /// Of the steps of a linear axis: 2 for memory, which is counted in powers of it.
    pub base: f64,
    /// Logarithmic where values are far apart.
    pub may_be_logarithmic: bool,
    /// Where the measured time begins, if the axis begins before it.
    pub mark: Option<f64>,
    pub series: Vec<Series<'a>>,
}

impl Chart<'_> {
    /// A figure with its caption; nothing if there is nothing to show.
    pub fn figure(&self) -> String {
        let Some(frame) = Frame::of(self) else {
            return String::new();
        };
        let scale = if frame.logarithmic {
            " (logarithmic)"
        } else {
            ""
        };
        let id = self.id;
        let has_head = self.series.len() > 1 || self.mark.is_some();
        let cut = if has_head { 0.0 } else { TOP - 12.0 };
        let mut svg = format!(
            "<figure>\n<figcaption>{}{scale}</figcaption>\n\
             <svg viewBox=\"0 {cut} {WIDTH} {}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\n\
             <title id=\"{id}-title\">{}</title>\n<desc id=\"{id}-desc\">{}</desc>\n",
            escape(self.title),
            HEIGHT - cut,
            escape(self.title),
            escape(self.description)
        );
        self.axes(&frame, &mut svg);
        self.legend(&mut svg);
        for (index, series) in self.series.iter().enumerate() {
            line(&frame, index, series, &mut svg);
        }
        svg.push_str("</svg>\n</figure>\n");
        svg
    }

    fn axes(&self, frame: &Frame, svg: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in frame.ticks_up(self.base) {
            let y = frame.y(tick);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
                 <text class=\"up\" x=\"{}\" y=\"{:.1}\">{}</text>",
                LEFT - 7.0,
                y + 4.0,
                escape(&round(&(self.unit)(tick)))
            );
        }
        let (ticks, name) = match self.across {
            Across::Seconds => (
                linear_ticks(frame.left, frame.right, 6, 10.0)
                    .into_iter()
                    .map(|at| (at, number(at)))
                    .collect(),
                "seconds",
            ),
            Across::Nines => (nines(frame.right), "percentile"),
        };
        for (at, label) in &ticks {
            let x = frame.x(*at);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\
                 <text class=\"across\" x=\"{x:.1}\" y=\"{}\">{label}</text>",
                bottom + 16.0
            );
        }
        let _ = writeln!(
            svg,
            "<text class=\"across\" x=\"{}\" y=\"{}\">{name}</text>\n\
             <line class=\"axis\" x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{right}\" y2=\"{bottom}\"/>",
            f64::midpoint(LEFT, right),
            HEIGHT - 6.0
        );
        if let Some(mark) = self
            .mark
            .filter(|mark| frame.left < *mark && *mark < frame.right)
        {
            let x = frame.x(mark);
            let _ = writeln!(
                svg,
                "<line class=\"mark\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\
                 <text class=\"legend\" x=\"{:.1}\" y=\"{}\">measured from here</text>",
                x + 5.0,
                TOP - 4.0
            );
        }
    }

    /// One line needs none: the caption has its name.
    fn legend(&self, svg: &mut String) {
        if self.series.len() < 2 {
            return;
        }
        let mut x = LEFT;
        for (index, series) in self.series.iter().enumerate() {
            let _ = writeln!(
                svg,
                "<line class=\"line s{index}\" x1=\"{x:.1}\" y1=\"14\" x2=\"{:.1}\" y2=\"14\"/>\
                 <text class=\"legend\" x=\"{:.1}\" y=\"18\">{}</text>",
                x + 24.0,
                x + 30.0,
                escape(series.name)
            );
            x += 46.0 + 9.0 * series.name.chars().count() as f64;
        }
    }
}

/// Gaps stay gaps, and a value between two of them is a dot.
fn line(frame: &Frame, index: usize, series: &Series<'_>, svg: &mut String) {
    let pieces = series.points.split(|point| point.1.is_none());
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        let places: Vec<String> = piece
            .iter()
            .filter_map(|(x, y)| Some(format!("{:.1},{:.1}", frame.x(*x), frame.y((*y)?))))
            .collect();
        let _ = match (places.as_slice(), piece) {
            ([_], [(x, Some(y))]) => writeln!(
                svg,
                "<circle class=\"dot s{index}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\"/>",
                frame.x(*x),
                frame.y(*y)
            ),
            _ => writeln!(
                svg,
                "<polyline class=\"line s{index}\" points=\"{}\"/>",
                places.join(" ")
            ),
        };
    }
}

/// What the axes span.
struct Frame {
    left: f64,
    right: f64,
    bottom: f64,
    top: f64,
    logarithmic: bool,
}

impl Frame {
    /// None without any value.
    fn of(chart: &Chart<'_>) -> Option<Self> {
        let points = || chart.series.iter().flat_map(|series| &series.points);
        let values = || {
            points()
                .filter_map(|point| point.1)
                .filter(|value| value.is_finite())
        };
        let left = points().map(|point| point.0).reduce(f64::min)?;
        let right = points().map(|point| point.0).reduce(f64::max)?;
        let largest = values().reduce(f64::max)?;
        let smallest = values().filter(|value| *value > 0.0).reduce(f64::min);
        let smallest = smallest.unwrap_or(largest);
        // An axis needs a length.
        let right = if right > left { right } else { left + 1.0 };
        let left = if matches!(chart.across, Across::Seconds) {
            left.min(0.0)
        } else {
            left
        };
        let logarithmic = chart.may_be_logarithmic && largest > LINEAR_UP_TO * smallest;
        let (bottom, top) = if logarithmic {
            (step_below(smallest), step_above(largest))
        } else if largest > 0.0 {
            let ticks = linear_ticks(0.0, largest * 1.02, 5, chart.base);
            let step = ticks.get(1).copied().unwrap_or(largest);
            (0.0, (largest * 1.02 / step).ceil() * step)
        } else {
            (0.0, 1.0)
        };
        Some(Self {
            left,
            right,
            bottom,
            top,
            logarithmic,
        })
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + (value - self.left) / (self.right - self.left) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value.max(self.bottom) / self.bottom).ln() / (self.top / self.bottom).ln()
        } else {
            (value - self.bottom) / (self.top - self.bottom)
        };
        HEIGHT - BOTTOM - share.clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
    }

    fn ticks_up(&self, base: f64) -> Vec<f64> {
        if !self.logarithmic {
            return linear_ticks(self.bottom, self.top, 5, base);
        }
        let first = self.bottom.log10().floor() as i32;
        let last = self.top.log10().ceil() as i32;
        // Many decades have room for their own lines only.
        let steps: &[f64] = match last - first {
            ..=2 => &[1.0, 2.0, 5.0],
            3 => &[1.0, 3.0],
            _ => &[1.0],
        };
        (first..=last)
            .flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)))
            .filter(|tick| (self.bottom * 0.999..=self.top * 1.001).contains(tick))
            .collect()
    }
}

/// The next of 1, 2, 5, 10, ... below or at it.
fn step_below(value: f64) -> f64 {
    let decade = 10f64.powf(value.log10().floor());
    [5.0, 2.0, 1.0]
        .into_iter()
        .map(|step| step * decade)
        .find(|step| *step <= value)
        .unwrap_or(decade)
}

/// The next above or at it.
fn step_above(value: f64) -> f64 {
    let decade = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|step| step * decade)
        .find(|step| *step >= value)
        .unwrap_or(decade * 10.0)
}

/// Round figures, some `wanted` of them. With `base` 2 they are powers of two, or three quarters of it.
fn linear_ticks(from: f64, to: f64, wanted: u32, base: f64) -> Vec<f64> {
    let raw = (to - from) / f64::from(wanted);
    if raw.is_nan() || raw <= 0.0 {
        return vec![from];
    }
    let step = if base == 2.0 {
        raw.log2().ceil().exp2()
    } else {
        step_above(raw)
    };
    let first = (from / step).ceil() as i64;
    let last = (to / step + 1e-9).floor() as i64;
    (first..=last).map(|number| number as f64 * step).collect()
}

/// A tick is a round figure: what follows its point says nothing.
fn round(text: &str) -> String {
    let (figure, unit) = text.split_once(' ').unwrap_or((text, ""));
    let figure = if figure.contains('.') {
        figure.trim_end_matches('0').trim_end_matches('.')
    } else {
        figure
    };
    format!("{figure} {unit}").trim_end().to_owned()
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

/// Percentiles up to so many nines.
fn nines(up_to: f64) -> Vec<(f64, String)> {
    let half = 2f64.log10();
    [
        (0.0, "0"),
        (half, "50"),
        (1.0, "90"),
        (2.0, "99"),
        (3.0, "99.9"),
        (4.0, "99.99"),
        (5.0, "99.999"),
    ]
    .into_iter()
    .filter(|(at, _)| *at <= up_to + 1e-9)
    .map(|(at, label)| (at, label.to_owned()))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::units;

    fn chart(points: Vec<(f64, Option<f64>)>) -> Chart<'static> {
        Chart {
            id: "c",
            title: "Title & more",
            description: "d",
            across: Across::Seconds,
            unit: units::latency,
            base: 10.0,
            may_be_logarithmic: true,
            mark: None,
            series: vec![Series { name: "a", points }],
        }
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(
            linear_ticks(0.0, 10.0, 5, 10.0),
            [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
        );
        assert_eq!(
            linear_ticks(-1.0, 4.0, 5, 10.0),
            [-1.0, 0.0, 1.0, 2.0, 3.0, 4.0]
        );
        assert_eq!(
            linear_ticks(0.0, 5.0, 5, 2.0),
            [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
        );
        assert_eq!(linear_ticks(0.0, 0.0, 5, 10.0), [0.0]);
        assert_eq!(round("30.0 ms"), "30 ms");
        assert_eq!(round("0.50"), "0.5");
        assert_eq!(round("2,000"), "2,000");
        assert_eq!((step_below(300.0), step_above(300.0)), (200.0, 500.0));
        assert_eq!((step_below(1000.0), step_above(1000.0)), (1000.0, 1000.0));
    }

    #[test]
    fn a_gap_stays_a_gap() {
        let points = vec![
            (0.0, Some(1.0)),
            (1.0, Some(2.0)),
            (2.0, None),
            (3.0, Some(1.0)),
            (4.0, None),
        ];
        let svg = chart(points).figure();
        assert_eq!(svg.matches("<polyline").count(), 1);
        assert_eq!(svg.matches("<circle").count(), 1);
    }

    #[test]
    fn nothing_is_no_chart() {
        assert_eq!(chart(Vec::new()).figure(), "");
        assert_eq!(chart(vec![(0.0, None), (1.0, None)]).figure(), "");
    }

    #[test]
    fn every_place_is_a_number_within_the_picture() {
        for points in [
            vec![(0.0, Some(0.0))],
            vec![(0.0, Some(5.0))],
            vec![(0.0, Some(0.0)), (1.0, Some(0.0))],
            vec![(-1.0, Some(1.0)), (1.0, Some(1e9))],
            vec![(0.0, Some(1e-9)), (1.0, Some(0.0)), (1.0, Some(1e18))],
        ] {
            let svg = chart(points).figure();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            for place in svg.split("points=\"").skip(1) {
                for pair in place.split('"').next().unwrap().split(' ') {
                    let (x, y) = pair.split_once(',').unwrap();
                    assert!((LEFT..=WIDTH).contains(&x.parse().unwrap()), "{pair}");
                    assert!((TOP..=HEIGHT).contains(&y.parse().unwrap()), "{pair}");
                }
            }
        }
    }
}
