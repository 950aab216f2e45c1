//! The one error type of the kernel: a stable code, a message that says what to do, and details.

use std::fmt;

/// What every fallible function of the kernel returns.
pub type Result<T> = std::result::Result<T, Error>;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A stable error code. The text is part of the public interface and never changes its meaning. TypeScript, which throws
        /// some of its own, lists them all (`ts/errors.ts`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code of the engine, in the order of the documentation's table.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code as users see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// An argument has the wrong type or shape.
    Argument = "ERR_KARYON_ARGUMENT",
    /// The kernel, view or transaction was used after it was closed.
    Closed = "ERR_KARYON_CLOSED",
    /// A defect in Karyon: a panic was caught at the boundary.
    Panic = "ERR_KARYON_PANIC",
    /// The operating system refused a file operation.
    Io = "ERR_KARYON_IO",
    /// The path is a file, not a directory.
    NotADirectory = "ERR_KARYON_NOT_A_DIRECTORY",
    /// The directory holds something else than a store.
    NotAStore = "ERR_KARYON_NOT_A_STORE",
    /// The directory for a copy is not empty.
    NotEmpty = "ERR_KARYON_NOT_EMPTY",
    /// Another process has the store open.
    Owned = "ERR_KARYON_OWNED",
    /// A file was written by a newer version of Karyon.
    FormatNewer = "ERR_KARYON_FORMAT_NEWER",
    /// Bytes that were acknowledged do not match their checksum or their hash.
    Damaged = "ERR_KARYON_DAMAGED",
    /// A version is asked for that is not kept any more.
    Horizon = "ERR_KARYON_HORIZON",
    /// A segment of the log is missing.
    SegmentMissing = "ERR_KARYON_SEGMENT_MISSING",
    /// A write or sync failed; writes are refused until the store is opened again.
    SyncFailed = "ERR_KARYON_SYNC_FAILED",
    /// The commit queue is full.
    Busy = "ERR_KARYON_BUSY",
    /// An integral number is beyond 2^53 − 1, or a bigint beyond 64 bits.
    IntegerRange = "ERR_KARYON_INTEGER_RANGE",
    /// A string holds a lone surrogate.
    StringMalformed = "ERR_KARYON_STRING_MALFORMED",
    /// A value is nested too deeply.
    ValueDepth = "ERR_KARYON_VALUE_DEPTH",
    /// A string, bytes or whole value is too large.
    ValueSize = "ERR_KARYON_VALUE_SIZE",
    /// A value has a type that cannot be stored, or that the verb cannot work on.
    ValueType = "ERR_KARYON_VALUE_TYPE",
    /// The name `__proto__` is refused for properties and map keys.
    NameReserved = "ERR_KARYON_NAME_RESERVED",
    /// A key, label, type or property name is too long or empty where it must not be.
    KeySize = "ERR_KARYON_KEY_SIZE",
    /// An entity would hold too many properties.
    PropertyCount = "ERR_KARYON_PROPERTY_COUNT",
    /// A transaction holds too many operations or bytes.
    TransactionSize = "ERR_KARYON_TRANSACTION_SIZE",
    /// The present would take more memory than it may.
    Memory = "ERR_KARYON_MEMORY",
    /// Another transaction committed first to what this one wrote or read.
    Conflict = "ERR_KARYON_CONFLICT",
    /// The transaction has already ended.
    TransactionDone = "ERR_KARYON_TRANSACTION_DONE",
    /// The node does not exist.
    NodeMissing = "ERR_KARYON_NODE_MISSING",
    /// The edge does not exist.
    EdgeMissing = "ERR_KARYON_EDGE_MISSING",
    /// The node still has edges.
    HasEdges = "ERR_KARYON_HAS_EDGES",
    /// A node would hold a value that another one holds, and that may be there only once.
    Unique = "ERR_KARYON_UNIQUE",
    /// A node would lack a property that every node with its label must have.
    Required = "ERR_KARYON_REQUIRED",
    /// There is no such fork, or none can be made.
    Layer = "ERR_KARYON_LAYER",
    /// A splice lies outside of its value or cuts a character in two.
    SpliceRange = "ERR_KARYON_SPLICE_RANGE",
    /// Too many views of the past are open.
    SnapshotCount = "ERR_KARYON_SNAPSHOT_COUNT",
    /// A time is a bare number, unreadable, or before the first commit's range.
    Time = "ERR_KARYON_TIME",
    /// The moment asked for is not settled yet.
    Unsettled = "ERR_KARYON_UNSETTLED",
    /// The index of the past is still being rebuilt.
    HistoryBuilding = "ERR_KARYON_HISTORY_BUILDING",
    /// The principal has no grant for this.
    Access = "ERR_KARYON_ACCESS",
    /// The cell, or this incarnation of it, is dead.
    CellDead = "ERR_KARYON_CELL_DEAD",
    /// A name is taken by a living sibling.
    CellName = "ERR_KARYON_CELL_NAME",
    /// Too many cells are alive.
    CellCount = "ERR_KARYON_CELL_COUNT",
}

/// A typed error: what went wrong (`code`), what to do about it (`message`), and the facts (`details`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    code: Code,
    message: String,
    details: Vec<(&'static str, Fact)>,
}

/// A fact about an error that programs may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A limit, a count, a version.
    Number(u64),
    /// A name, a path, what the system said.
    Text(String),
}

macro_rules! facts {
    ($($number:ty),*) => {
        $(impl From<$number> for Fact {
            fn from(number: $number) -> Fact { Fact::Number(number as u64) }
        })*
    };
}

facts!(u32, u64, usize);

impl From<String> for Fact {
    fn from(text: String) -> Fact {
        Fact::Text(text)
    }
}

impl From<&str> for Fact {
    fn from(text: &str) -> Fact {
        Fact::Text(text.into())
    }
}

impl Error {
    /// A new error. The message names the file, the limit, the value, and says what to do.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Error(Box::new(Inner { code, message: message.into(), details: Vec::new() }))
    }

    /// Adds a fact that programs may read, such as the segment's name or the limit that was hit.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Fact>) -> Self {
        self.0.details.push((name, value.into()));
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The facts for programs, in the order in which they were added.
    pub fn details(&self) -> &[(&'static str, Fact)] {
        &self.0.details
    }
}

/// Fails with what is made only then, unless something holds.
pub fn require<E>(holds: bool, failure: impl FnOnce() -> E) -> std::result::Result<(), E> {
    if holds { Ok(()) } else { Err(failure()) }
}

/// Fails unless something holds.
pub fn ensure(holds: bool, code: Code, message: &str) -> Result<()> {
    require(holds, || Error::new(code, message))
}

/// Fails unless something stays within a limit, which is a fact of the error.
pub fn bounded(holds: bool, code: Code, limit: usize, message: impl FnOnce() -> String) -> Result<()> {
    require(holds, || Error::new(code, message()).with("limit", limit))
}

/// `None` in the place of a failure with this code; every other one stays.
pub fn unless<T>(code: Code, result: Result<T>) -> Result<Option<T>> {
    match result {
        Err(error) if error.code() == code => Ok(None),
        result => result.map(Some),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_has_its_own_text() {
        let texts: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        assert!(texts.iter().all(|text| text.starts_with("ERR_KARYON_")));
    }

    #[test]
    fn an_error_keeps_its_code_message_and_details() {
        let error = Error::new(Code::Damaged, "segment 3 is damaged").with("segment", 3u32).with("file", "a");
        assert_eq!(error.code(), Code::Damaged);
        assert_eq!(error.to_string(), "ERR_KARYON_DAMAGED: segment 3 is damaged");
        assert_eq!(error.details(), [("segment", Fact::Number(3)), ("file", Fact::Text("a".into()))]);
    }
}
