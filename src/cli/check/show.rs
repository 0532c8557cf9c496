//! What happens, live: a line for each case that ended, and what is waited for.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::check::{Progress, reachable};
use crate::conformance::{Case, CaseResult, Listener, Outcome};
use crate::report::escape::visible;

/// How often the time on the terminal is drawn anew.
const TICK: Duration = Duration::from_millis(200);

/// The live view, on stderr.
pub(super) struct Show {
    /// Ids and titles, in order.
    cases: Vec<(String, String)>,
    listen: SocketAddr,
    host: Option<String>,
    bar: Option<ProgressBar>,
    colours: bool,
    /// The present case.
    running: Option<usize>,
    ended: usize,
}

impl Show {
    pub fn new(cases: &[Case], listen: SocketAddr, host: Option<String>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = terminal.then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(TICK);
            bar
        });
        Self {
            cases: cases.iter().map(|case| (case.id.clone(), case.title.clone())).collect(),
            listen,
            host,
            bar,
            colours: terminal && std::env::var_os("NO_COLOR").is_none(),
            running: None,
            ended: 0,
        }
    }

    pub fn progress(&mut self, progress: &Progress<'_>) {
        match progress {
            Progress::Listening(address) => {
                self.listen = *address;
                self.now(format!("waiting for the miner to connect to {}", self.address()));
            }
            Progress::Connected(listener, peer) => {
                tracing::info!("{peer} connected ({listener:?})");
                self.now(self.doing());
            }
            Progress::Alone => {
                let text = format!("{}: waiting for the miner to connect to {}", self.doing(), self.address());
                match &self.bar {
                    Some(_) => self.now(text),
                    // Elsewhere this comes with every reconnect, and says too little for a line.
                    None => tracing::info!("{text}"),
                }
            }
            Progress::Began(case) => {
                self.running = Some(*case);
                self.now(self.doing());
            }
            Progress::Note(text) => self.line(format!("note: {}", visible(text))),
            Progress::Opened(Listener::Moved) => self.line(
                "the pool is at its other address (--moved) only: let the name that the miner uses lead there"
                    .to_owned(),
            ),
            Progress::Opened(Listener::BadTls) => self.line(
                "only TLS (--tls) with a bad certificate is offered: the miner needs it as its fallback".to_owned(),
            ),
            Progress::Opened(_) | Progress::Ended(_) => {}
        }
    }

    /// A case ended: its line.
    pub fn ended(&mut self, result: &CaseResult) {
        self.ended += 1;
        self.running = None;
        let (word, colour) = match result.outcome {
            Outcome::Pass => ("pass", "32"),
            Outcome::Fail => ("FAIL", "31"),
            Outcome::Inconclusive => ("inconclusive", "33"),
            Outcome::Skipped => return,
        };
        let word = match self.colours {
            true => format!("\x1b[{colour}m{word:<12}\x1b[0m"),
            false => format!("{word:<12}"),
        };
        let id = visible(&result.id);
        self.line(format!("{id:<5} {word} {:>6.1} s  {}", result.seconds, visible(&result.title)));
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// What is being done.
    fn doing(&self) -> String {
        match self.running.and_then(|case| self.cases.get(case)) {
            Some((id, title)) => format!("[{}/{}] {id} {title}", self.ended + 1, self.cases.len()),
            None if self.ended == 0 => {
                "getting to know the miner and, if nobody claims it, its hashrate".to_owned()
            }
            None => format!("[{}/{}]", self.ended, self.cases.len()),
        }
    }

    /// Where the miner should connect to.
    fn address(&self) -> String {
        let host = self.host.clone().unwrap_or_else(|| reachable(self.listen.ip()));
        format!("{host}:{}", self.listen.port())
    }

    /// Shows what is being done now.
    fn now(&self, text: String) {
        match &self.bar {
            Some(bar) => bar.set_message(visible(&text)),
            // Cases have a line when they end; before the first one nothing else is said.
            None if self.running.is_none() && self.ended == 0 => eprintln!("{}", visible(&text)),
            None => {}
        }
    }

    /// A line that stays.
    fn line(&self, text: String) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }
}
