//! Modes and schedules.

use super::Lowering;
use crate::model::{Mode, ModeKind};
use crate::syntax::literal;
use crate::syntax::tree::{self, MinuteTok, Str, TimeOfDayTok, Word};
use crate::terms::{ModeClass, Weekday};
use crate::text::Span;
use crate::time::{Cron, Schedule, Window};

impl Lowering<'_> {
    /// A mode as written; `written`: by the scenario itself.
    pub(super) fn mode(
        &mut self,
        mode: &tree::Mode,
        written: bool,
        window: Option<&Window>,
    ) -> Mode {
        let kind = match &mode.kind {
            tree::ModeKind::Realtime => ModeKind::Realtime,
            tree::ModeKind::Hybrid(schedule) => ModeKind::Hybrid(self.schedule(schedule)),
            tree::ModeKind::Scheduled(schedule) => ModeKind::Scheduled(self.schedule(schedule)),
            tree::ModeKind::Auto => ModeKind::Auto,
        };
        let class = self.class(&kind, window);
        Mode {
            kind,
            class,
            span: Some(mode.span),
            written,
            chosen: None,
        }
    }

    /// The class of a mode inside a window.
    pub(super) fn class(&self, kind: &ModeKind, window: Option<&Window>) -> Option<ModeClass> {
        kind.class(&self.policy.calendar, window)
    }

    fn schedule(&mut self, schedule: &tree::Schedule) -> Option<Schedule> {
        Some(match schedule {
            tree::Schedule::Every(duration) => Schedule::Every(
                self.lasting(*duration, "the time between two starts")?
                    .value,
            ),
            tree::Schedule::Hourly(minute) => Schedule::Hourly {
                minute: match minute {
                    Some(minute) => self.minute(*minute)?,
                    None => 0,
                },
            },
            tree::Schedule::Daily(times) => Schedule::Daily {
                minutes_of_day: self.times(times)?,
            },
            tree::Schedule::Weekly(days, times) => Schedule::Weekly {
                days: weekdays(days),
                times: self.times(times)?,
            },
            tree::Schedule::Monthly(days, times) => {
                let days: Vec<Option<u8>> = days.iter().map(|d| self.day_of_month(*d)).collect();
                let times = self.times(times);
                Schedule::Monthly {
                    days: days.into_iter().collect::<Option<Vec<u8>>>()?,
                    times: times?,
                }
            }
            tree::Schedule::Cron(pattern) => self.cron(*pattern)?,
        })
    }

    fn minute(&mut self, token: MinuteTok) -> Option<u8> {
        let text = self.text(token.0);
        self.value(token.0, literal::minute(text))
    }

    /// Every bad time is reported; one spoils the schedule.
    fn times(&mut self, tokens: &[TimeOfDayTok]) -> Option<Vec<u16>> {
        let times: Vec<Option<u16>> = tokens
            .iter()
            .map(|t| {
                let text = self.text(t.0);
                self.value(t.0, literal::time_of_day(text))
            })
            .collect();
        times.into_iter().collect()
    }

    fn day_of_month(&mut self, token: tree::Int) -> Option<u8> {
        let day = self.int(token)?;
        match u8::try_from(day) {
            Ok(day @ 1..=31) => Some(day),
            _ => {
                let text = self.text(token.0);
                let message = format!("`{text}` is no day of a month");
                self.bad(token.0, message, "write a day from 1 to 31");
                None
            }
        }
    }

    fn cron(&mut self, token: Str) -> Option<Schedule> {
        let pattern = self.string(token)?;
        match Cron::parse(&pattern.text) {
            Ok(_) => Some(Schedule::Cron(pattern.text.to_string())),
            Err(error) => {
                // Offsets inside the string are those of the text unless it has escapes.
                let plain = token.0.len() == pattern.text.len() + 2;
                let start = token.0.start as usize + 1;
                let at = match plain && !error.range.is_empty() {
                    true => {
                        let (from, to) = (error.range.start, error.range.end);
                        Span::new(token.0.file, start + from, start + to)
                    }
                    false => token.0,
                };
                let help = error.help();
                self.bad(at, error.to_string(), &help);
                None
            }
        }
    }

    /// `window`; one of no length is reported.
    pub(super) fn window(
        &mut self,
        from: TimeOfDayTok,
        to: TimeOfDayTok,
        days: &[Word<Weekday>],
    ) -> Option<Window> {
        let text = self.text(from.0);
        let opens = self.value(from.0, literal::time_of_day(text));
        let text = self.text(to.0);
        let closes = self.value(to.0, literal::end_of_window(text));
        let (from_min, to_min) = (opens?, closes?);
        if from_min == to_min {
            let message = "the window has no length".to_owned();
            let help = "write when it opens and a later time when it closes; `00:00..24:00` is all \
                        day";
            self.bad(from.0.to(to.0), message, help);
            return None;
        }
        Some(Window {
            from_min,
            to_min,
            days: weekdays(days),
        })
    }
}

/// The days, each once, in the order written.
fn weekdays(words: &[Word<Weekday>]) -> Vec<Weekday> {
    let mut days = Vec::with_capacity(words.len());
    for word in words {
        if !days.contains(&word.value) {
            days.push(word.value);
        }
    }
    days
}
