//! Readers that want batches, over real sockets.

use super::*;

#[test]
fn what_came_together_is_one_message_for_who_wants_that_and_the_others_get_what_they_always_got() {
    WAYS.iter().copied().for_each(tell_what_came_together);
}

fn tell_what_came_together(way: Way) {
    let mut shard = Shard::new(way);
    let [plain, wants, late] = [(); 3].map(|()| shard.connect());
    shard.join(plain, BLUE);
    for (index, channel) in [(wants, BLUE), (wants, RED), (late, BLUE)] {
        shard.read_as(index, channel, true);
    }
    let told = |shard: &mut Shard, index| {
        let mut bytes = Vec::new();
        shard.drain(index, &mut bytes);
        messages(&bytes)
    };
    shard.say(BLUE, &["1", "2", "3"]);
    shard.say(RED, &["red", "rose"]);
    shard.run();
    assert_eq!(told(&mut shard, plain), ["1", "2", "3"]);
    assert_eq!(told(&mut shard, wants), ["[1,2,3]", "[red,rose]"]);
    assert_eq!(told(&mut shard, late), ["[1,2,3]"]);

    shard.say(BLUE, &["4"]);
    shard.run();
    for index in [wants, late] {
        assert_eq!(told(&mut shard, index), ["4"], "one alone is no array");
    }

    // What comes in front of an answer is told in front of it; the answer stays alone.
    shard.say(BLUE, &["5", "6"]);
    shard.fanout.reply(&mut shard.all[wants as usize], wants, b"answer");
    shard.say(BLUE, &["7", "8"]);
    // Who asks no longer has got what it asked for until then.
    shard.read_as(late, BLUE, false);
    shard.say(BLUE, &["9"]);
    shard.run();
    assert_eq!(told(&mut shard, wants), ["[5,6]", "answer", "[7,8,9]"]);
    assert_eq!(told(&mut shard, late), ["[5,6,7,8]", "9"]);
    assert_eq!(shard.log_len(BLUE) + shard.log_len(RED), 0);
    shard.check_counts();
}

#[test]
fn a_batch_that_the_socket_takes_half_of_is_finished() {
    WAYS.iter().copied().for_each(take_half_of_a_batch);
}

fn take_half_of_a_batch(way: Way) {
    const FRAME: usize = 1_000;
    let mut shard = Shard::new(way);
    shard.fanout.max_lag = usize::MAX;
    let index = shard.connect();
    shard.read_as(index, BLUE, true);
    let mut said = 0_u32;
    let mut say = |shard: &mut Shard, count| {
        for number in said..said + count {
            shard.say(BLUE, &[&format!("{number} {}", "x".repeat(FRAME))]);
        }
        said += count;
    };
    while !shard.all[index as usize].blocked {
        say(&mut shard, 100);
        shard.run();
        shard.check_counts();
    }
    let owed = shard.all[index as usize].outbox.owed();
    assert!(owed <= hub::batch::MAX_BATCH + 4, "it keeps the rest of one message: {owed}");
    let lag = shard.all[index as usize].lag;
    say(&mut shard, 500);
    shard.run();
    assert!(shard.all[index as usize].lag >= lag + 500 * FRAME, "what it does not read is counted");
    // An answer that its socket takes in several parts, and more behind it.
    shard.fanout.reply(&mut shard.all[index as usize], index, &[b'a'; 12 << 20]);
    say(&mut shard, 500);
    let mut got = Vec::new();
    while shard.all[index as usize].blocked {
        shard.drain(index, &mut got);
        shard.resume(index);
        shard.check_counts();
    }
    shard.run();
    shard.drain(index, &mut got);
    let mut messages = messages(&got);
    let answer = messages.iter().position(|message| message.starts_with("aaa"));
    let answer = messages.remove(answer.expect("the answer comes"));
    assert_eq!(answer.len(), 12 << 20);
    let frames: Vec<_> = messages.iter().flat_map(|message| frames(message)).collect();
    let numbers = frames.iter().map(|frame| frame.split(' ').next().expect("a number").parse());
    assert!(numbers.eq((0..said).map(Ok)), "all {said} come once and in order");
    assert!(messages.len() < frames.len() / 10, "{} messages", messages.len());
    assert_eq!((shard.all[index as usize].lag, shard.log_len(BLUE)), (0, 0));
}

#[test]
fn readers_that_have_come_differently_far_get_each_their_own_batch_in_one_slice() {
    for way in WAYS {
        let mut shard = Shard::new(*way);
        let early: Vec<_> = (0..20).map(|_| shard.connect()).collect();
        let late: Vec<_> = (0..20).map(|_| shard.connect()).collect();
        // Every fourth has a seat where nothing happens, every fifth does not want batches.
        for index in early.iter().chain(&late).filter(|index| *index % 4 == 0) {
            shard.read_as(*index, RED, true);
        }
        early.iter().for_each(|index| shard.read_as(*index, BLUE, index % 5 != 0));
        shard.say(BLUE, &["1"]);
        late.iter().for_each(|index| shard.read_as(*index, BLUE, index % 5 != 0));
        // The places of those who go are taken by the last, so that both kinds are visited in turn.
        for index in early.iter().step_by(2) {
            shard.fanout.detach(&mut shard.all, *index, BLUE);
        }
        shard.say(BLUE, &["2", "3"]);
        assert_eq!(shard.run(), []);
        shard.check_counts();
        for (index, together, alone) in early
            .iter()
            .skip(1)
            .step_by(2)
            .map(|index| (*index, "[1,2,3]", &["1", "2", "3"][..]))
            .chain(late.iter().map(|index| (*index, "[2,3]", &["2", "3"][..])))
        {
            let mut bytes = Vec::new();
            shard.drain(index, &mut bytes);
            let expected = if index % 5 == 0 { alone } else { &[together] };
            assert_eq!(messages(&bytes), expected, "reader {index}, {way:?}");
        }
        assert_eq!(shard.log_len(BLUE), 0);
    }
}
