//! Whether a channel's publications came without a hole and without a double.

use protocol::Resume;

use crate::Joined;

/// How far a channel has been read, as the numbers of its publications prove.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    position: Option<Resume>,
    continuity: Continuity,
    /// The server keeps publications, so what is missed may still be had.
    keeps: bool,
    /// What is missing has been asked for.
    repairing: bool,
}

/// What is known of a channel since it was last joined.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Continuity {
    /// Nothing was missed.
    Continuous,
    /// Something was.
    Gap,
    /// Nothing: it has not been joined, or the server does not number its publications.
    #[default]
    Unknown,
}

/// Publications that were missed for good.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gap {
    /// Why they are not to be had any more.
    pub reason: String,
    /// How many there are, where the numbers on both sides of the gap are of one count.
    pub missed: Option<u64>,
    /// The number of the first.
    pub from: u64,
    /// The number of the last.
    pub to: u64,
}

/// What to do with a publication.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// Pass it on.
    Deliver,
    /// It was here before, or will come again.
    Drop,
    /// Drop it and ask for all that was missed: it will come again behind that.
    Repair,
    /// Tell the gap, then pass it on.
    Tell(Gap),
}

impl Continuity {
    /// The same for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Continuous => "continuous",
            Self::Gap => "gap",
            Self::Unknown => "unknown",
        }
    }
}

impl Reader {
    pub(crate) fn continuity(&self) -> Continuity {
        self.continuity
    }

    /// From where to go on.
    pub(crate) fn position(&self) -> Option<Resume> {
        self.position.clone()
    }

    /// Takes the answer to a join; the gap before it, if there is one.
    pub(crate) fn handle_joined(&mut self, joined: &Joined) -> Option<Gap> {
        self.repairing = false;
        self.keeps = joined.keeps;
        self.continuity = match joined.position {
            Some(_) => Continuity::Continuous,
            None => Continuity::Unknown,
        };
        let before = std::mem::replace(&mut self.position, joined.position.clone())?;
        let now = self.position.as_mut()?;
        if joined.resumed {
            // What was missed follows.
            now.seq = before.seq;
            return None;
        }
        if *now == before {
            return None;
        }
        let same_count = joined.reason.as_deref().unwrap_or(TOO_SHORT) == TOO_SHORT;
        let reason = joined.reason.clone().unwrap_or_else(|| TOO_SHORT.to_owned());
        let (from, to) = (before.seq + 1, now.seq);
        Some(self.tell(reason, same_count, from, to))
    }

    /// Takes a publication's number.
    pub(crate) fn handle_publication(&mut self, seq: Option<u64>) -> Step {
        let (Some(read), Some(seq)) = (&mut self.position, seq) else { return Step::Deliver };
        let from = read.seq + 1;
        if seq < from {
            return Step::Drop;
        }
        if seq > from && self.keeps {
            let asked = std::mem::replace(&mut self.repairing, true);
            return if asked { Step::Drop } else { Step::Repair };
        }
        read.seq = seq;
        if seq == from {
            return Step::Deliver;
        }
        Step::Tell(self.tell(TOO_SHORT.to_owned(), true, from, seq - 1))
    }

    fn tell(&mut self, reason: String, same_count: bool, from: u64, to: u64) -> Gap {
        self.continuity = Continuity::Gap;
        let missed = if same_count { (to + 1).checked_sub(from) } else { None };
        Gap { reason, missed, from, to }
    }
}

/// The reason why a hole stays one in a channel that keeps too little, or nothing.
const TOO_SHORT: &str = "history_too_short";

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(epoch: &str, seq: u64) -> Joined {
        let position = Some(Resume { epoch: epoch.to_owned(), seq });
        Joined { position, keeps: true, ..Joined::default() }
    }

    fn at(seq: u64) -> Reader {
        let mut reader = Reader::default();
        assert_eq!(reader.handle_joined(&answer("one", seq)), None);
        reader
    }

    #[test]
    fn numbers_that_count_up_by_one_are_passed_on_once() {
        let mut reader = at(3);
        assert_eq!(reader.handle_publication(Some(4)), Step::Deliver);
        assert_eq!(reader.handle_publication(Some(4)), Step::Drop);
        assert_eq!(reader.handle_publication(Some(2)), Step::Drop);
        assert_eq!(reader.handle_publication(None), Step::Deliver, "private ones have none");
        assert_eq!(reader.handle_publication(Some(5)), Step::Deliver);
        assert_eq!(reader.continuity(), Continuity::Continuous);
    }

    #[test]
    fn a_resume_goes_on_where_it_was_also_under_a_new_epoch() {
        let mut reader = at(3);
        let resumed = Joined { resumed: true, ..answer("two", 5) };
        assert_eq!(reader.handle_joined(&resumed), None);
        assert_eq!(reader.handle_publication(Some(4)), Step::Deliver);
        assert_eq!(reader.position(), Some(Resume { epoch: "two".to_owned(), seq: 4 }));
    }

    #[test]
    fn what_is_no_longer_kept_is_counted() {
        let mut reader = at(3);
        let reason = Some("history_too_short".to_owned());
        let gap = reader.handle_joined(&Joined { reason, ..answer("one", 300) }).expect("a gap");
        assert_eq!((gap.missed, gap.from, gap.to), (Some(297), 4, 300));
        assert_eq!(reader.continuity(), Continuity::Gap);
        assert_eq!(reader.handle_publication(Some(301)), Step::Deliver);
    }

    #[test]
    fn across_counts_nothing_is_counted() {
        let mut reader = at(300);
        let reason = Some("epoch_changed".to_owned());
        let gap = reader.handle_joined(&Joined { reason, ..answer("two", 2) }).expect("a gap");
        assert_eq!((gap.missed, gap.from, gap.to), (None, 301, 2));
        assert_eq!(reader.handle_publication(Some(3)), Step::Deliver);
    }

    #[test]
    fn a_hole_is_asked_for_once_where_there_is_a_history_and_told_where_there_is_none() {
        let mut reader = at(3);
        assert_eq!(reader.handle_publication(Some(6)), Step::Repair);
        assert_eq!(reader.handle_publication(Some(7)), Step::Drop);
        let resumed = Joined { resumed: true, ..answer("one", 7) };
        assert_eq!(reader.handle_joined(&resumed), None);
        for seq in 4..=7 {
            assert_eq!(reader.handle_publication(Some(seq)), Step::Deliver);
        }

        let mut reader = Reader::default();
        assert_eq!(reader.handle_joined(&Joined { keeps: false, ..answer("one", 3) }), None);
        let Step::Tell(gap) = reader.handle_publication(Some(6)) else { panic!("a hole is told") };
        assert_eq!((gap.missed, gap.from, gap.to), (Some(2), 4, 5));
        assert_eq!(reader.handle_publication(Some(7)), Step::Deliver);
    }

    #[test]
    fn a_server_that_does_not_number_promises_nothing() {
        let mut reader = Reader::default();
        assert_eq!(reader.handle_joined(&Joined::default()), None);
        assert_eq!(reader.continuity(), Continuity::Unknown);
        assert_eq!(reader.handle_publication(Some(9)), Step::Deliver);
        assert_eq!(reader.position(), None);
    }
}
