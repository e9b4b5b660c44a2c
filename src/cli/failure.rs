//! How a command ends: an answer, or a failure to give one.

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Done and clean.
    Clean,
    /// The answer is no: findings, text out of layout, a difference, dead letters.
    Findings,
    /// Wrong usage, or input that cannot be read.
    Usage,
    /// A system or store that cannot be reached, or a fault of Syncline's own.
    Unreachable,
}

impl Exit {
    /// The exit status.
    pub fn code(self) -> u8 {
        match self {
            Exit::Clean => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
        }
    }
}

/// Why a command could give no answer.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Failure {
    exit: Exit,
    message: String,
    help: Option<String>,
}

impl Failure {
    /// Wrong usage, or input that cannot be read: exit status 2.
    pub fn input(message: impl Into<String>) -> Self {
        Failure {
            exit: Exit::Usage,
            message: message.into(),
            help: None,
        }
    }

    /// A system or store that cannot be reached, standard output that cannot be written, or a fault of
    /// Syncline's own: exit status 3.
    pub fn own(message: impl Into<String>) -> Self {
        Failure {
            exit: Exit::Unreachable,
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

    /// How the command ends.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}
