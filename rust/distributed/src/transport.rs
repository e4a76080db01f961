//! What carries messages from rank to rank.

use crate::Error;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The rank that sent it.
    pub from: usize,
    /// What it is about; whoever sends and receives knows the codes.
    pub kind: u32,
    /// Which of the calls that the ranks make together it belongs to.
    pub epoch: u64,
    /// Two numbers.
    pub args: [u64; 2],
    /// Anything.
    pub data: Vec<u8>,
}

/// Carries messages from rank to rank. No method waits for another rank.
///
/// Two messages from one rank to another may arrive in the other order.
pub trait Transport: Send {
    /// This rank.
    fn rank(&self) -> usize;

    /// The number of ranks.
    fn size(&self) -> usize;

    /// Whether the calling thread may use it now.
    ///
    /// # Errors
    /// [`Error::NotReady`].
    fn ready(&self) -> Result<(), Error>;

    /// Sends a message on its way.
    ///
    /// # Errors
    /// [`Error::Transport`].
    fn send(&mut self, to: usize, message: Message) -> Result<(), Error>;

    /// The next message that is there.
    ///
    /// # Errors
    /// [`Error::Transport`].
    fn receive(&mut self) -> Result<Option<Message>, Error>;

    /// How many messages have been sent whose memory is still in use.
    fn unsent(&self) -> usize;

    /// Nobody will ask for messages until the next call begins. Those that come early are kept.
    ///
    /// # Errors
    /// [`Error::Transport`].
    fn pause(&mut self) -> Result<(), Error>;

    /// Gives up what belongs to all ranks. Every rank does so.
    ///
    /// # Errors
    /// [`Error::Transport`], [`Error::NotReady`].
    fn free(&mut self) -> Result<(), Error>;
}
