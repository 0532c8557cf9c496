//! The world as SVG paths: countries of Natural Earth in the Equal Earth projection.
//!
//! The projection is equal-area, so a country's colour has the weight of its
//! land (B. Savric, T. Patterson, B. Jenny, 2018, "The Equal Earth map
//! projection"). Coordinates are whole numbers of a picture `WIDTH` wide.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Natural Earth 1:110m as TopoJSON; see data/SOURCES.md.
const WORLD: &str = include_str!("../../../data/world_110m.topojson");

/// ISO codes of countries; see data/SOURCES.md.
const COUNTRIES: &str = include_str!("../../../data/country_centroids.csv");

/// The picture's width in its own units: fine enough that rounding is not seen.
const WIDTH: f64 = 10_000.0;

/// What is shown, north and south, in degrees. Nobody mines in Antarctica.
const LATITUDES_DEG: (f64, f64) = (83.8, -56.5);
const ANTARCTICA: &str = "010";

/// Where the projection ends in the east, in its own units.
const EQUATOR_HALF: f64 = 2.706_629_98;

/// The map's countries and how to place points on it.
pub(super) struct Map {
    /// Path by ISO numeric code, three digits; the last is land without one.
    shapes: Vec<(Option<String>, String)>,
    /// ISO numeric code and name in English by alpha-3 code.
    countries: BTreeMap<String, (String, String)>,
}

#[derive(serde::Deserialize)]
struct Topology {
    objects: Objects,
    arcs: Vec<Vec<[f64; 2]>>,
    transform: Transform,
}

#[derive(serde::Deserialize)]
struct Objects {
    countries: Collection,
}

#[derive(serde::Deserialize)]
struct Collection {
    geometries: Vec<Shape>,
}

#[derive(serde::Deserialize)]
struct Shape {
    id: Option<String>,
    #[serde(flatten)]
    geometry: Geometry,
}

#[derive(serde::Deserialize)]
#[serde(tag = "type", content = "arcs")]
enum Geometry {
    Polygon(Vec<Vec<i64>>),
    MultiPolygon(Vec<Vec<Vec<i64>>>),
}

#[derive(serde::Deserialize)]
struct Transform {
    scale: [f64; 2],
    translate: [f64; 2],
}

#[derive(serde::Deserialize)]
struct Country {
    iso3: String,
    iso_numeric: String,
    name: String,
}

impl Map {
    /// The map that is built in.
    pub fn new() -> Self {
        let topology: Topology = serde_json::from_str(WORLD).expect("a test has read it");
        let arcs: Vec<Vec<Point>> =
            topology.arcs.iter().map(|arc| decode(arc, &topology.transform)).collect();
        let shape = |shape: &Shape| {
            let path = match &shape.geometry {
                Geometry::Polygon(rings) => rings.iter().map(|ring| path(ring, &arcs)).collect(),
                Geometry::MultiPolygon(parts) => {
                    parts.iter().flatten().map(|ring| path(ring, &arcs)).collect()
                }
            };
            (shape.id.clone(), path)
        };
        let shown = |shape: &&Shape| shape.id.as_deref() != Some(ANTARCTICA);
        let rows = csv::Reader::from_reader(COUNTRIES.as_bytes()).into_deserialize();
        let countries = rows.map(|row| {
            let Country { iso3, iso_numeric, name } = row.expect("a test has read it");
            (iso3, (format!("{iso_numeric:0>3}"), name))
        });
        Self {
            shapes: topology.objects.countries.geometries.iter().filter(shown).map(shape).collect(),
            countries: countries.collect(),
        }
    }

    /// The English name of a country by its alpha-3 code, or the code.
    pub fn name<'a>(&'a self, iso3: &'a str) -> &'a str {
        self.countries.get(iso3).map_or(iso3, |(_, name)| name)
    }

    /// The path of a country by its alpha-3 code; small ones have none.
    pub fn path_of(&self, iso3: &str) -> Option<&str> {
        let (number, _) = self.countries.get(iso3)?;
        let shape = self.shapes.iter().find(|(id, _)| id.as_ref() == Some(number))?;
        Some(&shape.1)
    }

    /// The path of all countries but these.
    pub fn path_without(&self, iso3: &[&str]) -> String {
        let numbers: Vec<&String> =
            iso3.iter().filter_map(|iso3| self.countries.get(*iso3)).map(|(number, _)| number).collect();
        let other = |id: &Option<String>| id.as_ref().is_none_or(|id| !numbers.contains(&id));
        self.shapes.iter().filter(|(id, _)| other(id)).map(|(_, path)| path.as_str()).collect()
    }

    /// `viewBox` of the picture.
    pub fn view_box() -> String {
        let (north, south) = LATITUDES_DEG;
        let (top, bottom) = (project(0.0, north).1, project(0.0, south).1);
        format!("0 {top:.0} {WIDTH:.0} {:.0}", bottom - top)
    }
}

/// Where a point is on the picture.
pub(super) fn project(longitude_deg: f64, latitude_deg: f64) -> (f64, f64) {
    const A: [f64; 4] = [1.340_264, -0.081_106, 0.000_893, 0.003_796];
    let root = 3_f64.sqrt();
    let t = (root / 2.0 * latitude_deg.to_radians().sin()).asin();
    let (t2, t6) = (t * t, t.powi(6));
    let slope = 9.0 * A[3] * t6 * t2 + 7.0 * A[2] * t6 + 3.0 * A[1] * t2 + A[0];
    let x = 2.0 * root * longitude_deg.to_radians() * t.cos() / (3.0 * slope);
    let y = t * (A[3] * t6 * t2 + A[2] * t6 + A[1] * t2 + A[0]);
    let scale = WIDTH / 2.0 / EQUATOR_HALF;
    (WIDTH / 2.0 + x * scale, WIDTH / 4.0 - y * scale)
}

/// A point: degrees east, degrees north.
type Point = (f64, f64);

/// An arc's points; TopoJSON has them as steps of whole numbers.
fn decode(arc: &[[f64; 2]], transform: &Transform) -> Vec<Point> {
    let (mut x, mut y) = (0.0, 0.0);
    arc.iter()
        .map(|[dx, dy]| {
            x += dx;
            y += dy;
            let degrees = |axis: usize, at: f64| at * transform.scale[axis] + transform.translate[axis];
            (degrees(0, x), degrees(1, y))
        })
        .collect()
}

/// A ring as a path, in two pieces where it crosses 180 degrees. `!n` is arc `n` backwards.
fn path(ring: &[i64], arcs: &[Vec<Point>]) -> String {
    let mut points: Vec<Point> = Vec::new();
    for &arc in ring {
        let forward = usize::try_from(arc);
        let arc = &arcs[forward.unwrap_or_else(|_| usize::try_from(!arc).unwrap_or(0))];
        let mut push = |&(x, y): &Point| {
            // A step of more than half the world is one of less in the other direction.
            let x = points.last().map_or(x, |&(before, _)| x - 360.0 * ((x - before) / 360.0).round());
            points.push((x, y));
        };
        if forward.is_ok() { arc.iter().for_each(&mut push) } else { arc.iter().rev().for_each(&mut push) }
    }
    [-360.0, 0.0, 360.0].map(|shift| steps(&within(&points, shift))).concat()
}

/// What of a polygon, moved east by `shift`, is within 180 degrees of Greenwich (Sutherland and Hodgman).
fn within(points: &[Point], shift: f64) -> Vec<Point> {
    let mut points: Vec<Point> = points.iter().map(|&(x, y)| (x + shift, y)).collect();
    for side in [-1.0, 1.0] {
        let inside = |point: Point| point.0 * side <= 180.0;
        let mut cut = Vec::with_capacity(points.len());
        for (at, &to) in points.iter().enumerate() {
            let from = points[at.checked_sub(1).unwrap_or(points.len() - 1)];
            if inside(from) != inside(to) {
                let part = (180.0 * side - from.0) / (to.0 - from.0);
                cut.push((180.0 * side, from.1 + part * (to.1 - from.1)));
            }
            if inside(to) {
                cut.push(to);
            }
        }
        points = cut;
    }
    points
}

/// A polygon as a path of steps; nothing of an island that is a point on the picture.
fn steps(points: &[Point]) -> String {
    let mut text = String::new();
    let mut last: Option<(i64, i64)> = None;
    for &(longitude, latitude) in points {
        let (x, y) = project(longitude, latitude);
        let (x, y) = (x.round() as i64, y.round() as i64);
        let _ = match last {
            None => write!(text, "M{x} {y}l"),
            // Arcs share their ends.
            Some(last) if last == (x, y) => continue,
            Some((from_x, from_y)) => write!(text, "{} {} ", x - from_x, y - from_y),
        };
        last = Some((x, y));
    }
    if text.is_empty() || text.ends_with('l') {
        return String::new();
    }
    text.truncate(text.trim_end().len());
    text + "z"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_where_they_should_be() {
        fn check(longitude: f64, latitude: f64, x: f64, y: f64) {
            let (found_x, found_y) = project(longitude, latitude);
            assert!((found_x - x).abs() < 1.0 && (found_y - y).abs() < 1.0, "{found_x} {found_y}");
        }
        check(0.0, 0.0, 5_000.0, 2_500.0);
        check(180.0, 0.0, 10_000.0, 2_500.0);
        check(-180.0, 0.0, 0.0, 2_500.0);
        // The pole lies 1.3173627591574 of the projection's units up.
        check(0.0, 90.0, 5_000.0, 2_500.0 - 1.317_362_76 / EQUATOR_HALF * 5_000.0);
    }

    #[test]
    fn countries_are_found() {
        let map = Map::new();
        assert_eq!((map.name("KAZ"), map.name("XYZ")), ("Kazakhstan", "XYZ"));
        assert!(map.path_of("XYZ").is_none() && map.path_of("ATA").is_none());
        let path = map.path_of("KAZ").unwrap();
        let (x, y) = project(67.0, 48.0);
        let first: Vec<f64> =
            path[1..path.find('l').unwrap()].split(' ').map(|number| number.parse().unwrap()).collect();
        assert!((first[0] - x).abs() < 700.0 && (first[1] - y).abs() < 400.0, "{first:?}, {x} {y}");
        let without = map.path_without(&["KAZ"]);
        assert!(!without.contains(path) && without.contains(map.path_of("USA").unwrap()));
        assert!(
            !without.contains("lz") && !without.contains("NaN") && without.len() < 200_000,
            "{}",
            without.len()
        );
    }

    #[test]
    fn polygons_are_cut_at_the_edge() {
        let square = [(170.0, 0.0), (190.0, 0.0), (190.0, 10.0), (170.0, 10.0)];
        let (east, west) = (within(&square, 0.0), within(&square, -360.0));
        assert!(east.iter().all(|point| (170.0..=180.0).contains(&point.0)) && east.len() == 4, "{east:?}");
        assert!(west.iter().all(|point| (-180.0..=-170.0).contains(&point.0)) && west.len() == 4, "{west:?}");
        assert!(within(&square, 360.0).is_empty());
        // Neither Russia nor Fiji has a line across the picture.
        let map = Map::new();
        for step in
            map.path_without(&[]).split(['M', 'l', 'z']).skip(2).step_by(3).flat_map(|path| path.split(' '))
        {
            assert!(step.parse::<f64>().unwrap().abs() < 900.0, "{step}");
        }
    }

    #[test]
    fn every_country_of_the_regions_is_on_the_map() {
        let map = Map::new();
        let regions = csv::Reader::from_reader(include_str!("../../../data/regions.csv").as_bytes());
        for row in regions.into_records().map(Result::unwrap) {
            assert!(map.path_of(&row[2]).is_some(), "{}", &row[2]);
        }
    }
}
