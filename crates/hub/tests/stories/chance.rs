//! Triggers under whatever order of events chance brings.

use std::collections::HashMap;

use hub::CallError;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use crate::triggers::{rows, trigger};
use crate::world::{Asked, Client, World};

#[test]
fn whatever_comes_when_nothing_passes_a_trigger_unasked_and_order_stays() {
    for seed in 0..200 {
        Chaos::new(seed).run(150);
    }
}

/// Clients that send, webhooks that answer as they like, and connections that break, by chance.
struct Chaos {
    world: World,
    dice: SmallRng,
    clients: Vec<Client>,
    /// Who sent which message, in order.
    sent: Vec<Client>,
    /// The triggers that have allowed a message so far.
    allowed: HashMap<u64, Vec<u64>>,
    /// What the clients read of each message: in order, by client.
    outcomes: HashMap<Client, Vec<(u64, String)>>,
    published: Vec<u64>,
}

impl Chaos {
    const TRIGGERS: [u64; 3] = [1, 2, 5];

    fn new(seed: u64) -> Self {
        let mut chaos = Self {
            world: World::new(rows()),
            dice: SmallRng::seed_from_u64(seed),
            clients: Vec::new(),
            sent: Vec::new(),
            allowed: HashMap::new(),
            outcomes: HashMap::new(),
            published: Vec::new(),
        };
        let watcher = chaos.connect();
        chaos.clients.push(watcher);
        for _ in 0..3 {
            let client = chaos.connect();
            chaos.clients.push(client);
        }
        let triggers = Self::TRIGGERS.map(|id| trigger(id, 1, "message"));
        chaos.world.change_triggers(rows(), triggers.to_vec());
        chaos
    }

    fn connect(&mut self) -> Client {
        let client = self.world.anonymous();
        self.world.join(client, "asked");
        client
    }

    fn run(mut self, steps: usize) {
        for _ in 0..steps {
            match self.dice.random_range(0..20) {
                0 => self.replace_a_client(),
                1..9 => self.send(),
                _ => self.answer(),
            }
            self.read();
        }
        while !self.world.is_asked_nothing() {
            self.answer();
            self.read();
        }
        self.check();
    }

    /// Not the first, who sees all.
    fn replace_a_client(&mut self) {
        let place = self.dice.random_range(1..self.clients.len());
        self.world.disconnect(self.clients[place]);
        // Now a trigger may ask before a join, which nobody here does.
        self.clients[place] = self.connect();
    }

    fn send(&mut self) {
        let client = self.clients[self.dice.random_range(0..self.clients.len())];
        let number = self.sent.len();
        self.sent.push(client);
        self.world.message(client, "asked", &format!(r#","id":"{number}""#), &number.to_string());
    }

    fn answer(&mut self) {
        if self.world.is_asked_nothing() {
            return;
        }
        let turns = self.dice.random_range(0..4);
        let Asked { call, trigger, input } = self.world.asked_after(turns);
        let number = input["payload"].as_u64().expect("a message is its number");
        let answer = match self.dice.random_range(0..6) {
            0 => Ok("false".to_owned()),
            1 => Err(CallError::Failed(None)),
            2 => Ok(number.to_string()),
            _ => Ok(String::new()),
        };
        if answer.as_ref().is_ok_and(|answer| answer != "false") {
            self.allowed.entry(number).or_default().push(trigger);
        }
        self.world.say(call, answer.as_deref().map_err(Clone::clone));
    }

    fn read(&mut self) {
        for (place, client) in self.clients.clone().into_iter().enumerate() {
            for frame in self.world.read(client) {
                let frame: Value = serde_json::from_str(&frame).expect("frames are JSON");
                let code = frame["payload"]["code"].as_str().unwrap_or("sent").to_owned();
                match frame["action"].as_str() {
                    Some("message") if place == 0 => {
                        self.published.push(frame["payload"].as_u64().expect("a number"));
                    }
                    Some("ack" | "error") => {
                        let id = frame["options"]["id"].as_str().expect("it has a name");
                        let number = id.parse().expect("which is its number");
                        self.outcomes.entry(client).or_default().push((number, code));
                    }
                    _ => {}
                }
            }
        }
    }

    fn check(&self) {
        for number in &self.published {
            assert_eq!(self.allowed[number], Self::TRIGGERS, "all have allowed {number}, in order");
        }
        for client in &self.clients {
            let mut outcomes = self.outcomes.get(client).cloned().unwrap_or_default();
            // What finds no room is refused at once, and so before what waits.
            outcomes.retain(|(_, code)| code != "overloaded");
            assert!(outcomes.is_sorted(), "in the order sent: {outcomes:?}");
            let all = self.outcomes.get(client).map_or(0, Vec::len);
            let sent = self.sent.iter().filter(|sender| *sender == client).count();
            assert_eq!(all, sent, "each has one outcome");
            for (number, code) in outcomes {
                assert_eq!(self.published.contains(&number), code == "sent");
            }
        }
    }
}
