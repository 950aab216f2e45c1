//! What is asked of a session beside reading and committing: none of it is on a hot path.

use crate::engines::backup;
use crate::session::Session;
use crate::wire::Told;
use karyon_graph::{Declaration, Prefer, Purpose, Transaction};
use karyon_model::fields::Flag;
use karyon_model::{Cursor, Result, Rules, check_key, check_name};
use karyon_store::Retention;

impl Session {
    /// Answers a question: `ts/graph/ask.ts` has a name for each number, and says which take long. What it is about has its fields in
    /// the order in which they are read here.
    pub fn ask(&self, question: u32, mut about: Cursor<'_>, out: &mut Vec<u8>) -> Result<()> {
        let about = &mut about;
        match question {
            0 => self.alive()?.body()?.graph.names().get(about.text()?).tell(out),
            1 => self.store().body()?.graph.names().from(about.id()?).tell(out),
            2 => self.history(about, out)?,
            3 => self.changes(about, out)?,
            4 => self.commit_at(about.varint()?, out)?,
            5 => self.blame(about, out)?,
            6 => self.diff(about, out)?,
            7 => {
                self.seeing_everything()?;
                self.body()?.graph.digest_in(self.layer, about.varint()?)?.tell(out);
            }
            8 => self.rules(about.varint()?, out)?,
            9 => self.forks(out)?,
            10 => self.fork_info(out)?,
            11 => self.seeing_everything()?.stats()?.tell(out),
            12 => {
                let (name, parent, from) = (check_name(about.text()?)?.into(), self.layer, about.varint()?);
                self.commit(&self.begin_for(Purpose::Fork { name, parent, from })?, None)?.tell(out);
            }
            13 => self.commit(&self.begin_for(Purpose::Drop(self.layer))?, None)?.tell(out),
            14 => {
                let (label, property) =
                    (check_name(about.text()?)?.into(), check_name(about.text()?)?.into());
                let rules = Rules::decode(about)?;
                let declaring = self.begin_for(Purpose::Declare(Declaration { label, property, rules }))?;
                self.commit(&declaring.in_layer(self.layer), None)?.tell(out);
            }
            15 => self.revert(about.text()?, about.varint()?, Flag::decode(about)?, out)?,
            16 => {
                let whose = [Prefer::Neither, Prefer::Other, Prefer::Layer];
                let prefer = whose.get(usize::from(about.byte()?)).copied().unwrap_or(Prefer::Neither);
                self.merge_fork(about.text()?, prefer, out)?;
            }
            17 => self.seeing_everything()?.verify()?.tell(out),
            18 => backup(self.seeing_everything()?, about.text()?)?.tell(out),
            19 => {
                let (since, versions) = (about.varint()?, about.varint()? as usize);
                let retention = Retention { since, versions, every: about.varint()? };
                self.alive()?.compact(&retention, self.author(None))?.tell(out);
            }
            20 => self.alive()?.erase(check_key(about.text()?)?, self.author(None))?.tell(out),
            21 => self.kill(),
            _ => return Err(about.malformed("an unknown question")),
        }
        Ok(())
    }

    /// A transaction of the base that is for something, over the newest published version.
    fn begin_for(&self, purpose: Purpose) -> Result<Transaction> {
        Ok(Transaction::with(self.begin()?.snapshot(), purpose))
    }
}
