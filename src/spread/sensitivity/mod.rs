//! Which parameters a result rests on: which points to evaluate, and what the answers mean.
//!
//! Two methods. **Morris** moves one parameter at a time from many places and
//! costs `trajectories x (k + 1)` evaluations for `k` parameters; it says which
//! of many parameters matter at all. **Sobol** splits the variance of the
//! result and costs `samples x (k + 2)`; it says how much each parameter
//! explains alone (first order) and with everything it interacts with (total).
//!
//! Neither evaluates anything: a design gives points, the caller evaluates
//! them on what threads it likes, and gives the results back in the same
//! order. The same seed gives the same points and the same intervals.
//!
//! ```text
//! S_i  = Var(E[f | x_i]) / Var(f)          first order
//! ST_i = E[Var(f | all but x_i)] / Var(f)  total
//! EE_i = (f(x + delta e_i) - f(x)) / delta, x in the unit cube
//! mu*  = mean of |EE_i|                    sigma = their standard deviation
//! ```
//!
//! Worked: the Ishigami function, sin x1 + 7 sin^2 x2 + 0.1 x3^4 sin x1 over
//! -pi..pi, has S = 0.314, 0.442, 0 and ST = 0.558, 0.442, 0.244: the third
//! parameter does nothing alone and a quarter in company.
//!
//! - `design`: parameters with their ranges, and samples over them
//! - `sobol`: Saltelli's design, and the indices
//! - `morris`: trajectories, and the elementary effects
//! - `bootstrap`: how far chance may have moved a figure

mod bootstrap;
mod design;
mod morris;
mod sobol;

pub use bootstrap::Interval;
pub use design::Factor;
pub use morris::{Morris, MorrisEffect};
pub use sobol::{Sobol, SobolIndex};
