//! Runs cases, one program after the other in turns, and takes their figures.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use crate::topology::{Environment, find_program};

use super::cases::{Case, Kind, setting};
use super::figures::{Figure, Sample};
use super::measure::{Order, Ran, run, run_for_output};
use super::saved::Results;
use crate::cli::output::Output;

/// How long a rate is held for latency, and how long nothing is done for a look at rest.
const SPAN: Duration = Duration::from_secs(5);
/// How much of the span goes before it, when latencies are measured: a run's start is another figure.
const WARM_UP: f64 = 0.2;

/// Something to measure.
#[derive(Debug)]
pub(super) enum Subject {
    Case(&'static Case),
    /// A topology of the user's.
    File(PathBuf),
}

impl Subject {
    fn name(&self) -> String {
        match self {
            Self::Case(case) => case.name.to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// How it is measured.
#[derive(Debug)]
pub(super) struct Bench<'a> {
    /// Where the topologies lie.
    pub(super) folder: &'a Path,
    pub(super) scale: f64,
    pub(super) runs: u32,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) this: Results,
    pub(super) other: Option<Results>,
    /// A run was not complete; it was told of.
    pub(super) failed: bool,
}

/// What a run without work takes.
#[derive(Clone, Copy, Debug, Default)]
struct Idle {
    wall: Duration,
    cpu: Duration,
}

impl Bench<'_> {
    /// Measures everything with this program, and in turns with another one.
    pub(super) fn all(
        &self,
        subjects: &[Subject],
        this: &Path,
        other: Option<&Path>,
        output: &mut Output,
    ) -> Measured {
        let named = |program: &Path| Results::new(program.display().to_string());
        let mut measured = Measured { this: named(this), other: other.map(named), failed: false };
        for subject in subjects {
            if let Some(program) = missing(subject) {
                let name = subject.name();
                output.message(&format!("{name}: left out, there is no `{program}`\n"));
                continue;
            }
            if let Err(error) = self.subject(subject, this, other, &mut measured, output) {
                measured.failed = true;
                output.message(&format!("galewire: {}: {error:#}\n", subject.name()));
            }
        }
        measured
    }

    fn subject(
        &self,
        subject: &Subject,
        this: &Path,
        other: Option<&Path>,
        measured: &mut Measured,
        output: &mut Output,
    ) -> anyhow::Result<()> {
        let name = subject.name();
        let idle_this = self.idle(subject, this)?;
        let idle_other = other.map(|other| self.idle(subject, other)).transpose()?;
        for run in 1..=self.runs {
            output.message(&format!("{name}: run {run} of {}\n", self.runs));
            measured.this.add(&name, self.sample(subject, this, idle_this)?);
            if let (Some(other), Some(idle), Some(results)) =
                (other, idle_other, &mut measured.other)
            {
                results.add(&name, self.sample(subject, other, idle)?);
            }
        }
        Ok(())
    }

    fn order<'p>(&self, case: &Case, program: &'p Path, more: &[String]) -> Order<'p> {
        let set = case.set.iter().map(|written| setting(written)).chain(more.iter().cloned());
        Order { program, file: self.folder.join(case.topology), set: set.collect(), time: None }
    }

    /// What it takes to start and end, where that is to be left out.
    fn idle(&self, subject: &Subject, program: &Path) -> anyhow::Result<Idle> {
        let Subject::Case(case @ Case { kind: Kind::Rate(_) | Kind::Rest, .. }) = subject else {
            return Ok(Idle::default());
        };
        let order = self.order(case, program, &[count(1)]);
        let runs = [run(&order, self.folder)?, run(&order, self.folder)?];
        let least = |of: fn(&Ran) -> Duration| runs.iter().map(of).min().unwrap_or_default();
        Ok(Idle { wall: least(|ran| ran.wall), cpu: least(|ran| ran.cpu) })
    }

    fn sample(&self, subject: &Subject, program: &Path, idle: Idle) -> anyhow::Result<Sample> {
        let case = match subject {
            Subject::Case(case) => case,
            Subject::File(file) => return self.file(file, program),
        };
        match case.kind {
            Kind::Rate(messages) => {
                let messages = ((messages as f64 * self.scale) as u64).max(1);
                let ran = run(&self.order(case, program, &[count(messages)]), self.folder)?;
                anyhow::ensure!(
                    ran.total("emitted") == messages,
                    "{messages} messages were to be emitted, and {} were",
                    ran.total("emitted")
                );
                let busy = ran.wall.saturating_sub(idle.wall).as_secs_f64().max(1e-3);
                Ok(rated(&ran, messages, busy))
            }
            Kind::Latency { rate } => self.latency(case, program, rate),
            Kind::FirstResult => {
                let first = run_for_output(&self.order(case, program, &[]))?;
                Ok(Sample::from([(Figure::FirstResult, first.as_secs_f64() * 1e3)]))
            }
            Kind::Rest => {
                let more = ["spouts.source.config.rate=1".to_owned(), count(1_000_000)];
                let time = SPAN.mul_f64(self.scale.min(1.0)).max(Duration::from_millis(500));
                let order = Order { time: Some(time), ..self.order(case, program, &more) };
                let ran = run(&order, self.folder)?;
                let cpu = ran.cpu.saturating_sub(idle.cpu).as_secs_f64() / time.as_secs_f64();
                Ok(Sample::from([
                    (Figure::CpuAtRest, cpu * 100.0),
                    (Figure::Largest, ran.memory.largest()),
                    (Figure::Memory, ran.memory.together()),
                ]))
            }
        }
    }

    fn latency(&self, case: &Case, program: &Path, rate: u64) -> anyhow::Result<Sample> {
        let span = SPAN.mul_f64(self.scale);
        let warm_up = span.mul_f64(WARM_UP);
        let messages = (rate as f64 * (span + warm_up).as_secs_f64()) as u64;
        let more = [
            format!("spouts.source.config.rate={rate}"),
            format!("bolts.latency.config.warm_up=\"{}us\"", warm_up.as_micros()),
            count(messages.max(1)),
        ];
        let ran = run(&self.order(case, program, &more), self.folder)?;
        let printed: serde_json::Value = serde_json::from_str(ran.output.trim())
            .with_context(|| format!("no figures were printed: {}", ran.output))?;
        let figure =
            |name: &str| printed[name].as_f64().with_context(|| format!("no {name} in {printed}"));
        Ok(Sample::from([
            (Figure::P50, figure("p50_us")?),
            (Figure::P99, figure("p99_us")?),
            (Figure::P999, figure("p999_us")?),
            (Figure::Memory, ran.memory.together()),
        ]))
    }

    /// A topology of the user's: the rate is taken between its progress reports, the first with
    /// anything done and the last.
    fn file(&self, file: &Path, program: &Path) -> anyhow::Result<Sample> {
        let order = Order { program, file: file.to_owned(), set: Vec::new(), time: None };
        let ran = run(&order, self.folder)?;
        let messages = ran.total("emitted") - ran.total("replayed");
        let seconds = |event: &serde_json::Value| event["elapsed"].as_f64();
        let done = |event: &serde_json::Value| Ran::of_spouts(event, "emitted");
        let progress = ran.events.iter().filter(|event| event["event"] == "progress");
        let working: Vec<_> =
            progress.filter(|event| (1..messages).contains(&done(event))).collect();
        let busy = match (working.first(), working.last()) {
            (Some(first), Some(last)) if done(last) > done(first) => {
                let span =
                    seconds(last).zip(seconds(first)).map_or(0.0, |(end, start)| end - start);
                span * messages as f64 / (done(last) - done(first)) as f64
            }
            _ => ran.wall.as_secs_f64(),
        };
        Ok(rated(&ran, messages, busy.max(1e-3)))
    }
}

/// The figures of a run that gave out so many messages in so many seconds.
fn rated(ran: &Ran, messages: u64, seconds: f64) -> Sample {
    Sample::from([
        (Figure::Rate, messages as f64 / seconds),
        (Figure::CpuPerMillion, ran.cpu.as_secs_f64() / messages as f64 * 1e6),
        (Figure::Memory, ran.memory.together()),
    ])
}

fn count(messages: u64) -> String {
    format!("spouts.source.config.count={messages}")
}

/// The program that a case needs and that is not there.
fn missing(subject: &Subject) -> Option<&'static str> {
    let Subject::Case(Case { needs: Some(program), .. }) = subject else { return None };
    let environment = Environment::of_process();
    let found = find_program(program, Path::new("."), environment.get("PATH"));
    found.is_none().then_some(*program)
}
