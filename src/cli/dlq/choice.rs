//! Which letters of a file a command is about.

use std::path::PathBuf;

use crate::base::{parse_duration, unix_millis};
use crate::dead_letter::Moment;

use super::scan::{Scan, Summary};

/// Conditions that letters meet, all of them.
#[derive(Debug, clap::Args)]
pub(super) struct Filter {
    /// Letters that failed last in this component
    #[arg(long, value_name = "NAME")]
    component: Option<String>,
    /// Letters whose last error contains this text, in any case
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Letters put aside since then: 30m (ago), 2026-11-23 or 2026-11-23T05:54:41Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Moment>,
}

fn since(text: &str) -> Result<Moment, String> {
    if let Some(moment) = Moment::parse(text) {
        return Ok(moment);
    }
    let span = parse_duration(text)
        .map_err(|_| "write a span such as `30m`, a date, or a date and a time".to_owned())?;
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    Ok(Moment(unix_millis().saturating_sub(millis)))
}

impl Filter {
    fn is_empty(&self) -> bool {
        self.component.is_none() && self.error.is_none() && self.since.is_none()
    }

    /// Whether a letter meets all conditions.
    pub(super) fn takes(&self, letter: &Summary) -> bool {
        let component = self.component.as_ref();
        let contains = |text: &String| letter.error.to_lowercase().contains(&text.to_lowercase());
        component.is_none_or(|name| letter.component.as_ref() == Some(name))
            && self.error.as_ref().is_none_or(contains)
            && self.since.is_none_or(|since| letter.time >= since)
    }
}

/// A file and letters of it.
#[derive(Debug, clap::Args)]
pub(super) struct Choice {
    /// The file of dead letters
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Ids of letters, as `galewire dlq list` shows them, or how they begin
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// All letters that the conditions take
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    #[command(flatten)]
    filter: Filter,
}

impl Choice {
    /// The chosen letters, in the order of the file, or what is wrong with the command line.
    pub(super) fn of<'s>(&self, scan: &'s Scan) -> Result<Vec<&'s Summary>, String> {
        if self.ids.is_empty() {
            if !self.all && self.filter.is_empty() {
                return Err("say which letters: ids, `--all`, or a condition such as \
                            `--component NAME`"
                    .to_owned());
            }
            return Ok(scan.letters.iter().filter(|letter| self.filter.takes(letter)).collect());
        }
        let mut found = Vec::new();
        for id in &self.ids {
            let begins = |letter: &&Summary| letter.id.to_string().starts_with(id.as_str());
            let mut places = scan.letters.iter().filter(begins);
            match (places.next(), places.next()) {
                (Some(letter), None) => found.push(letter),
                (None, _) => {
                    let file = self.file.display();
                    return Err(format!("there is no letter `{id}` in {file}"));
                }
                (Some(_), Some(_)) => {
                    return Err(format!("more than one letter begins with `{id}`"));
                }
            }
        }
        let chosen = scan.letters.iter().filter(|letter| {
            found.iter().any(|found| found.id == letter.id) && self.filter.takes(letter)
        });
        Ok(chosen.collect())
    }
}
