//! May this session do this in this channel, and who gets the result.

use protocol::{ErrorCode, Recipients};

use crate::settings::ChannelSettings;

/// What a session wants to do in a channel.
#[derive(Clone, Copy, Debug)]
pub enum Operation<'a> {
    /// Be in it.
    Join,
    /// Send something.
    Send(&'a Recipients),
    /// Read the kept publications.
    ReadHistory,
}

/// Who gets the result of what was allowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Audience {
    /// Every member.
    Everyone,
    /// The authenticated members.
    Authenticated,
    /// One session, if it is a member.
    Session {
        /// … and has an identity.
        authenticated_only: bool,
    },
    /// Only the session that asked.
    Requester,
}

/// Decides from the channel's settings and from whether the session has an identity, nothing else.
///
/// That the session is in the channel is the caller's to check; so is the recipient of a private
/// message, whom only the engine knows. The flags are independent: none implies another.
pub fn permit(
    channel: &ChannelSettings,
    authenticated: bool,
    operation: Operation<'_>,
) -> Result<Audience, ErrorCode> {
    use Audience as A;
    use ErrorCode::{
        AnonymousJoinRefused, AuthenticationRequired, HistoryDisabled, MessagingDisabled,
    };

    match operation {
        Operation::Join if authenticated || channel.anonymous_clients => Ok(A::Requester),
        Operation::Join => Err(AnonymousJoinRefused),

        Operation::ReadHistory if channel.history.get() > 0 => Ok(A::Requester),
        Operation::ReadHistory => Err(HistoryDisabled),

        Operation::Send(Recipients::Everyone) => match channel.client_public_messaging {
            true if authenticated || !channel.client_public_messaging_authenticated_only => {
                Ok(A::Everyone)
            }
            true => Err(AuthenticationRequired),
            false if !channel.client_authenticated_messaging => Err(MessagingDisabled),
            false if authenticated => Ok(A::Authenticated),
            false => Err(AuthenticationRequired),
        },

        Operation::Send(Recipients::Authenticated) => {
            match channel.client_authenticated_messaging {
                true if authenticated => Ok(A::Authenticated),
                true => Err(AuthenticationRequired),
                false => Err(MessagingDisabled),
            }
        }

        Operation::Send(Recipients::Session(_)) => {
            let authenticated_only = channel.client_private_messaging_authenticated_only;
            match channel.client_private_messaging {
                true if authenticated || !authenticated_only => {
                    Ok(A::Session { authenticated_only })
                }
                true => Err(AuthenticationRequired),
                false => Err(MessagingDisabled),
            }
        }
    }
}
