//! How a command ends: an answer, or a failure to give one.

/// A command's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Done and clean.
    Clean,
    /// The answer is no: findings, text out of layout, a difference.
    Negative,
}

impl Status {
    /// The exit status.
    pub fn code(self) -> u8 {
        match self {
            Status::Clean => 0,
            Status::Negative => 1,
        }
    }
}

/// Why a command could give no answer.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Failure {
    kind: Kind,
    message: String,
    help: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Wrong usage, or input that cannot be read.
    Input,
    /// Something that cannot be reached, or a fault of our own.
    Own,
}

impl Failure {
    /// Wrong usage, or input that cannot be read: exit status 2.
    pub fn input(message: impl Into<String>) -> Self {
        Failure {
            kind: Kind::Input,
            message: message.into(),
            help: None,
        }
    }

    /// A system or store that cannot be reached, output that cannot be written, or a fault of
    /// Syncline's own: exit status 3.
    pub fn own(message: impl Into<String>) -> Self {
        Failure {
            kind: Kind::Own,
            message: message.into(),
            help: None,
        }
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What to do, where that is known.
    pub fn what_to_do(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The exit status.
    pub fn code(&self) -> u8 {
        match self.kind {
            Kind::Input => 2,
            Kind::Own => 3,
        }
    }
}
