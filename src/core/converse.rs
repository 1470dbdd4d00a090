//! What recipients say: each word is kept.

use super::Core;
use super::channel::GatewayId;
use super::record::Record;
use super::reply::{KeptReply, Reply, ReplyKind};

impl Core {
    /// Takes what a recipient said.
    pub(super) fn replied(&mut self, gateway: GatewayId, reply: Reply) {
        let Some(g) = self.fleet.get(gateway) else { return };
        let (name, channel) = (g.config.name.clone(), g.config.channel);
        self.store(Record::Reply(KeptReply {
            at: self.now,
            gateway: name,
            channel,
            from: reply.from,
            said: reply.said,
            id: reply.id,
            sent_at: reply.at,
            kind: ReplyKind::Plain,
            of: None,
            quoted: false,
            incident: None,
        }));
    }
}
