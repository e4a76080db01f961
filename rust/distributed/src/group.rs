//! Ranks that make calls together, each of which ends on every rank within a bounded time.
//!
//! A call has three parts. First all ranks *agree*: each tells rank 0 whether it is ready and a fingerprint of what it
//! is about to do, and rank 0 tells all whether everybody is, and does the same. Then they work. At last they *part*:
//! no rank returns before all are done.
//!
//! All the while every rank lets rank 0 hear of itself, and rank 0 all others. A rank that meets an error tells all
//! others; one that is silent for longer than the timeout is taken for dead, by rank 0, or by all others if it is rank
//! 0. Nothing here waits inside of the transport, so that this holds also when messages are never fetched. After such a
//! failure the group is broken: nobody knows which messages are still on their way.

use std::collections::VecDeque;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use crate::transport::{Message, Transport};
use crate::Error;

/// The rank that deals out, and watches all others.
pub const LEADER: usize = 0;

// Kinds of messages. Those of the parts of a call are below 16, those of the work above.
const READY: u32 = 1;
const VERDICT: u32 = 2;
const DONE: u32 = 3;
const END: u32 = 4;
const BEAT: u32 = 5;
const FAILED: u32 = 6;

/// Longest time between two signs of life.
const BEAT_EVERY: Duration = Duration::from_millis(500);
/// How often the thread that talks looks for messages while others compute.
pub(crate) const LOOK: Duration = Duration::from_millis(1);
/// How long a rank that failed goes on to see its messages off.
const FAREWELL: Duration = Duration::from_millis(200);

/// Ranks that make calls together.
pub struct Group {
    transport: Box<dyn Transport>,
    timeout: Duration,
    epoch: u64,
    /// When each rank was heard of last.
    heard: Vec<Instant>,
    /// What each rank says that it has done.
    done: Vec<u64>,
    /// Which ranks are not watched any more.
    parted: Vec<bool>,
    next_beat: Instant,
    /// What came before it was asked for.
    early: VecDeque<Message>,
    broken: Option<String>,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").field("rank", &self.rank()).field("size", &self.size()).finish_non_exhaustive()
    }
}

impl Group {
    /// A rank that is silent for as long as `timeout` is taken for dead.
    pub fn new(transport: Box<dyn Transport>, timeout: Duration) -> Group {
        let (size, now) = (transport.size(), Instant::now());
        Group {
            transport,
            timeout,
            epoch: 0,
            heard: vec![now; size],
            done: vec![0; size],
            parted: vec![false; size],
            next_beat: now,
            early: VecDeque::new(),
            broken: None,
        }
    }

    /// This rank.
    pub fn rank(&self) -> usize {
        self.transport.rank()
    }

    /// The number of ranks.
    pub fn size(&self) -> usize {
        self.transport.size()
    }

    /// Whether this is the rank that deals out.
    pub fn leads(&self) -> bool {
        self.rank() == LEADER
    }

    /// Makes a call that all ranks make. `ready` says whether this rank is, with a fingerprint of the call: all have to
    /// be, with the same one, or none goes on to `work`.
    ///
    /// # Errors
    /// [`Error::Broken`], [`Error::NotReady`]; that of `ready`, here and as [`Error::Remote`] elsewhere;
    /// [`Error::Disagreement`]; what `work` or the watching of the other ranks ends with.
    pub fn call<R>(
        &mut self,
        ready: Result<u64, Error>,
        work: impl FnOnce(&mut Group) -> Result<R, Error>,
    ) -> Result<R, Error> {
        if let Some(text) = &self.broken {
            return Err(Error::Broken(text.clone()));
        }
        self.transport.ready()?;
        if self.size() == 1 {
            ready?;
            return work(self);
        }
        self.epoch += 1;
        let now = Instant::now();
        self.heard.fill(now);
        self.done.fill(0);
        self.parted.fill(false);
        self.next_beat = now;
        let result = match self.agree(ready) {
            // Everybody knows, and has left in order.
            Ok(Err(refused)) => return self.transport.pause().and(Err(refused)),
            // The others would wait for a rank that panics.
            Ok(Ok(())) => catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|panic| {
                std::mem::forget(panic);
                Err(Error::Panicked)
            }),
            Err(error) => Err(error),
        };
        let result = result.and_then(|result| self.part().map(|()| result));
        result.map_err(|error| self.fail(error))
    }

    /// The inner result is what all ranks know.
    fn agree(&mut self, ready: Result<u64, Error>) -> Result<Result<(), Error>, Error> {
        let text = |error: &Error| error.to_string().into_bytes();
        let own = match &ready {
            Ok(fingerprint) => ([1, *fingerprint], Vec::new()),
            Err(error) => ([0, 0], text(error)),
        };
        if !self.leads() {
            self.send(LEADER, READY, own.0, own.1)?;
            let verdict = self.wait(VERDICT)?;
            let remote = || String::from_utf8_lossy(&verdict.data).into_owned();
            let rank = verdict.args[1] as usize;
            return Ok(match (ready, verdict.args[0]) {
                (Err(error), _) => Err(error),
                (Ok(_), 0) => Ok(()),
                (Ok(_), 1) => Err(Error::Disagreement { rank }),
                (Ok(_), _) => Err(Error::Remote { rank, text: remote() }),
            });
        }
        // The first rank in order that is to blame.
        let mut refused: Option<(usize, Result<(), String>)> =
            ready.as_ref().err().map(|error| (LEADER, Err(error.to_string())));
        for _ in 1..self.size() {
            let answer = self.wait(READY)?;
            let found = match answer.args {
                [0, _] => Err(String::from_utf8_lossy(&answer.data).into_owned()),
                [_, fingerprint] if *ready.as_ref().unwrap_or(&fingerprint) != fingerprint => Ok(()),
                _ => continue,
            };
            if refused.as_ref().is_none_or(|(rank, _)| answer.from < *rank) {
                refused = Some((answer.from, found));
            }
        }
        let (code, rank, data) = match &refused {
            None => (0, 0, Vec::new()),
            Some((rank, Ok(()))) => (1, *rank as u64, Vec::new()),
            Some((rank, Err(text))) => (2, *rank as u64, text.clone().into_bytes()),
        };
        self.send_all(VERDICT, [code, rank], &data)?;
        self.flush()?;
        Ok(match (ready, refused) {
            (Err(error), _) => Err(error),
            (Ok(_), None) => Ok(()),
            (Ok(_), Some((rank, Ok(())))) => Err(Error::Disagreement { rank }),
            (Ok(_), Some((rank, Err(text)))) => Err(Error::Remote { rank, text }),
        })
    }

    fn part(&mut self) -> Result<(), Error> {
        if self.leads() {
            for _ in 1..self.size() {
                let from = self.wait(DONE)?.from;
                self.parted[from] = true;
            }
            self.send_all(END, [0; 2], &[])?;
        } else {
            self.send(LEADER, DONE, [0; 2], Vec::new())?;
            self.wait(END)?;
        }
        self.flush()?;
        self.transport.pause()
    }

    /// Tells all others, and breaks the group.
    fn fail(&mut self, error: Error) -> Error {
        self.broken = Some(error.to_string());
        let (rank, text) = match &error {
            Error::Remote { rank, text } => (*rank, text.clone()),
            error => (self.rank(), error.to_string()),
        };
        // Nothing is gained by an error of the messages that tell of an error.
        _ = self.send_all(FAILED, [rank as u64, 0], text.as_bytes());
        let end = Instant::now() + FAREWELL;
        while self.transport.unsent() > 0 && Instant::now() < end {
            if self.transport.receive().is_err() {
                break;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        error
    }

    /// Sends a message on its way.
    ///
    /// # Errors
    /// [`Error::Transport`].
    pub fn send(&mut self, to: usize, kind: u32, args: [u64; 2], data: Vec<u8>) -> Result<(), Error> {
        self.transport.send(to, Message { from: self.rank(), kind, epoch: self.epoch, args, data })
    }

    /// Sends a message to all others.
    ///
    /// # Errors
    /// [`Error::Transport`].
    pub fn send_all(&mut self, kind: u32, args: [u64; 2], data: &[u8]) -> Result<(), Error> {
        let rank = self.rank();
        (0..self.size()).filter(|&to| to != rank).try_for_each(|to| self.send(to, kind, args, data.to_vec()))
    }

    /// Waits until what was sent has left.
    ///
    /// # Errors
    /// As [`Group::poll`].
    pub fn flush(&mut self) -> Result<(), Error> {
        let mut patience = Patience::default();
        while self.transport.unsent() > 0 {
            if let Some(message) = self.next()? {
                self.early.push_back(message);
            }
            patience.wait();
        }
        Ok(())
    }

    /// Waits for a message of this kind.
    ///
    /// # Errors
    /// As [`Group::poll`].
    pub fn wait(&mut self, kind: u32) -> Result<Message, Error> {
        self.wait_for(|message| message.kind == kind)
    }

    /// Waits for a message that is wanted.
    ///
    /// # Errors
    /// As [`Group::poll`].
    pub fn wait_for(&mut self, wanted: impl Fn(&Message) -> bool) -> Result<Message, Error> {
        let here = |message: &Message| message.epoch == self.epoch && wanted(message);
        if let Some(early) = self.early.iter().position(here).and_then(|at| self.early.remove(at)) {
            return Ok(early);
        }
        let mut patience = Patience::default();
        loop {
            match self.next()? {
                Some(message) if wanted(&message) => return Ok(message),
                Some(message) => self.early.push_back(message),
                None => patience.wait(),
            }
        }
    }

    /// Does `work` on another thread, and looks after the other ranks meanwhile.
    ///
    /// # Errors
    /// As [`Group::poll`], once the work is done; [`Error::Panicked`].
    pub(crate) fn busy<R: Send>(&mut self, work: impl FnOnce() -> R + Send) -> Result<R, Error> {
        if self.size() == 1 {
            return Ok(work());
        }
        let (done, result) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let work = move || _ = done.send(catch_unwind(AssertUnwindSafe(work)));
            let begun = std::thread::Builder::new().spawn_scoped(scope, work);
            begun.map_err(|error| Error::Thread(error.to_string()))?;
            loop {
                match result.recv_timeout(LOOK) {
                    Ok(result) => return result.map_err(|_| Error::Panicked),
                    Err(RecvTimeoutError::Disconnected) => return Err(Error::Panicked),
                    Err(RecvTimeoutError::Timeout) => {}
                }
                if let Some(message) = self.next()? {
                    self.early.push_back(message);
                }
            }
        })
    }

    /// The next message of the work that is there.
    ///
    /// # Errors
    /// [`Error::Remote`] if a rank has failed, [`Error::Silent`] if one has not been heard of, [`Error::Transport`].
    pub fn poll(&mut self) -> Result<Option<Message>, Error> {
        let of_work = |message: &Message, epoch: u64| message.kind >= 16 && message.epoch == epoch;
        if let Some(at) = self.early.iter().position(|message| of_work(message, self.epoch)) {
            return Ok(self.early.remove(at));
        }
        while let Some(message) = self.next()? {
            if of_work(&message, self.epoch) {
                return Ok(Some(message));
            }
            self.early.push_back(message);
        }
        Ok(None)
    }

    /// The next message that is there of this call; the others tell of how the ranks are.
    fn next(&mut self) -> Result<Option<Message>, Error> {
        self.watch()?;
        while let Some(message) = self.transport.receive()? {
            self.heard[message.from] = Instant::now();
            match message.kind {
                BEAT => self.done[message.from] = message.args[0],
                FAILED => {
                    let text = String::from_utf8_lossy(&message.data).into_owned();
                    return Err(Error::Remote { rank: message.args[0] as usize, text });
                }
                _ if message.epoch == self.epoch => return Ok(Some(message)),
                // A rank that is ahead has begun the next call.
                _ if message.epoch > self.epoch => self.early.push_back(message),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Gives signs of life, and looks for those of others.
    fn watch(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        if self.size() == 1 || now < self.next_beat {
            return Ok(());
        }
        self.next_beat = now + BEAT_EVERY.min(self.timeout / 4);
        let done = [self.done[self.rank()], 0];
        let silent =
            |rank: &usize| *rank != self.rank() && !self.parted[*rank] && now - self.heard[*rank] > self.timeout;
        let watched = if self.leads() { 1..self.size() } else { LEADER..LEADER + 1 };
        if let Some(rank) = watched.clone().find(silent) {
            return Err(Error::Silent { rank, seconds: self.timeout.as_secs().max(1) });
        }
        // Signs of life to who does not fetch them would pile up.
        watched
            .filter(|&to| now - self.heard[to] < self.timeout / 2)
            .collect::<Vec<usize>>()
            .into_iter()
            .try_for_each(|to| self.send(to, BEAT, done, Vec::new()))
    }

    /// What this rank has done, for rank 0 to know of.
    pub fn report(&mut self, done: u64) {
        let rank = self.rank();
        self.done[rank] = done;
    }

    /// What all ranks say that they have done; on rank 0.
    pub fn reported(&self) -> u64 {
        self.done.iter().sum()
    }

    /// Gives up what belongs to all ranks: each does so, and makes no call any more.
    ///
    /// # Errors
    /// [`Error::Broken`], [`Error::NotReady`], [`Error::Transport`].
    pub fn free(&mut self) -> Result<(), Error> {
        if let Some(text) = &self.broken {
            return Err(Error::Broken(text.clone()));
        }
        self.transport.ready()?;
        self.broken = Some("it was freed".into());
        self.transport.free()
    }
}

/// Waits a little longer each time: what is soon there is met at once, and a long wait takes no processor's time.
#[derive(Debug, Default)]
pub(crate) struct Patience(u32);

impl Patience {
    pub(crate) fn wait(&mut self) {
        self.0 = (self.0 + 1).min(2000);
        match self.0 {
            // Where ranks outnumber processors, whom one waits for needs this one.
            0..=200 => std::thread::yield_now(),
            n => std::thread::sleep(Duration::from_micros(u64::from(n / 20))),
        }
    }
}
