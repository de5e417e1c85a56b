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

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYONE: Operation<'static> = Operation::Send(&Recipients::Everyone);
    const AUTHENTICATED: Operation<'static> = Operation::Send(&Recipients::Authenticated);

    fn open() -> ChannelSettings {
        ChannelSettings {
            anonymous_clients: true,
            client_public_messaging: true,
            ..ChannelSettings::default()
        }
    }

    #[test]
    fn public_messaging_does_not_let_anonymous_clients_in() {
        let channel =
            ChannelSettings { client_public_messaging: true, ..ChannelSettings::default() };
        assert_eq!(permit(&channel, false, Operation::Join), Err(ErrorCode::AnonymousJoinRefused));
        assert_eq!(permit(&channel, true, Operation::Join), Ok(Audience::Requester));
    }

    #[test]
    fn an_open_channel_lets_everybody_talk_to_everybody() {
        assert_eq!(permit(&open(), false, Operation::Join), Ok(Audience::Requester));
        assert_eq!(permit(&open(), false, EVERYONE), Ok(Audience::Everyone));
        assert_eq!(permit(&open(), true, EVERYONE), Ok(Audience::Everyone));
    }

    #[test]
    fn an_authenticated_only_channel_lets_anonymous_clients_listen() {
        let channel =
            ChannelSettings { client_public_messaging_authenticated_only: true, ..open() };
        assert_eq!(permit(&channel, false, EVERYONE), Err(ErrorCode::AuthenticationRequired));
        assert_eq!(permit(&channel, true, EVERYONE), Ok(Audience::Everyone));
    }

    #[test]
    fn a_plain_message_goes_to_authenticated_members_where_only_that_is_switched_on() {
        let channel =
            ChannelSettings { client_authenticated_messaging: true, ..ChannelSettings::default() };
        assert_eq!(permit(&channel, true, EVERYONE), Ok(Audience::Authenticated));
        assert_eq!(permit(&channel, false, EVERYONE), Err(ErrorCode::AuthenticationRequired));
    }

    #[test]
    fn authenticated_messages_have_a_switch_of_their_own() {
        assert_eq!(permit(&open(), true, AUTHENTICATED), Err(ErrorCode::MessagingDisabled));
        let channel = ChannelSettings { client_authenticated_messaging: true, ..open() };
        assert_eq!(permit(&channel, true, AUTHENTICATED), Ok(Audience::Authenticated));
        assert_eq!(permit(&channel, false, AUTHENTICATED), Err(ErrorCode::AuthenticationRequired));
    }

    #[test]
    fn private_messages_have_a_switch_of_their_own() {
        let to = Recipients::Session("s".to_owned());
        let private = Operation::Send(&to);
        assert_eq!(permit(&open(), true, private), Err(ErrorCode::MessagingDisabled));
        let channel = ChannelSettings { client_private_messaging: true, ..open() };
        assert_eq!(
            permit(&channel, false, private),
            Ok(Audience::Session { authenticated_only: false })
        );
        let channel =
            ChannelSettings { client_private_messaging_authenticated_only: true, ..channel };
        assert_eq!(permit(&channel, false, private), Err(ErrorCode::AuthenticationRequired));
        assert_eq!(
            permit(&channel, true, private),
            Ok(Audience::Session { authenticated_only: true })
        );
    }

    #[test]
    fn history_is_read_only_where_it_is_kept() {
        assert_eq!(permit(&open(), true, Operation::ReadHistory), Err(ErrorCode::HistoryDisabled));
        let history = crate::HistorySize::try_from(25).expect("25 is one of the sizes");
        let channel = ChannelSettings { history, ..open() };
        assert_eq!(permit(&channel, false, Operation::ReadHistory), Ok(Audience::Requester));
    }
}
