// A short message service centre by the npm package `smpp`, for tests against somebody else's SMPP.
//
//   node smsc.js PORT JOURNAL       NODE_PATH names the folder that holds the package
//
// Every submit is appended to JOURNAL before it is answered, and so is every receipt that was acknowledged: one
// JSON object a line. After a kill and a restart on the same journal, the receipts that are still owed are sent to
// the next bind. The same lines go to standard output, with `listening`, `bound` and `refused` beside them.
'use strict';

const fs = require('fs');
const smpp = require('smpp');

const [port, journal] = [Number(process.argv[2]), process.argv[3]];
const PASSWORD = 'secret';
const RECEIPT_AFTER_MS = 20;

const say = (line) => fs.writeSync(1, JSON.stringify(line) + '\n');
const note = (line) => {
  fs.appendFileSync(journal, JSON.stringify(line) + '\n');
  say(line);
};

// What the journal of an earlier life says.
const owed = new Map();
let last = 0;
if (fs.existsSync(journal)) {
  for (const text of fs.readFileSync(journal, 'utf8').split('\n').filter(Boolean)) {
    let line;
    try { line = JSON.parse(text); } catch { continue; } // torn by the kill: it was never answered
    if (line.event === 'submit') owed.set(line.id, line);
    if (line.event === 'receipted') owed.delete(line.id);
    if (line.id) last = Math.max(last, parseInt(line.id, 16));
  }
  fs.appendFileSync(journal, '\n');
}

const two = (n) => String(n).padStart(2, '0');
const date = (d) => [d.getUTCFullYear() % 100, d.getUTCMonth() + 1, d.getUTCDate(), d.getUTCHours(), d.getUTCMinutes()].map(two).join('');

const receivers = new Set();

function receipt(id) {
  const message = owed.get(id);
  const session = receivers.values().next().value;
  if (!message || !session) return;
  const now = date(new Date());
  session.deliver_sm({
    source_addr_ton: 1,
    source_addr_npi: 1,
    source_addr: message.to,
    destination_addr: message.from,
    esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
    short_message: `id:${id} sub:001 dlvrd:001 submit date:${now} done date:${now} stat:DELIVRD err:000 text:`,
  }, (answer) => {
    if (answer.command_status === 0 && owed.delete(id)) note({ event: 'receipted', id });
  });
}

function bind(session, receives) {
  return (pdu) => {
    if (pdu.password !== PASSWORD) {
      say({ event: 'refused', system_id: pdu.system_id });
      session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }), null, () => session.close());
      return;
    }
    session.send(pdu.response({ system_id: 'npm-smpp' }));
    say({ event: 'bound', system_id: pdu.system_id, version: pdu.interface_version });
    if (receives) {
      receivers.add(session);
      for (const id of owed.keys()) setTimeout(receipt, RECEIPT_AFTER_MS, id);
    }
  };
}

function submit(session) {
  return (pdu) => {
    const id = (++last).toString(16).padStart(8, '0');
    const payload = pdu.message_payload || pdu.short_message;
    const header = (pdu.short_message && pdu.short_message.udh || []).map((part) => part.toString('hex')).join('');
    owed.set(id, { to: pdu.destination_addr, from: pdu.source_addr });
    note({
      event: 'submit',
      id,
      to: pdu.destination_addr,
      from: pdu.source_addr,
      text: payload.message,
      header,
      sar: pdu.sar_total_segments ? [pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum] : null,
      coding: pdu.data_coding,
      priority: pdu.priority_flag,
      registered: pdu.registered_delivery,
    });
    session.send(pdu.response({ message_id: id }));
    setTimeout(receipt, RECEIPT_AFTER_MS, id);
  };
}

smpp.createServer((session) => {
  session.on('bind_transceiver', bind(session, true));
  session.on('bind_receiver', bind(session, true));
  session.on('bind_transmitter', bind(session, false));
  session.on('submit_sm', submit(session));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => session.send(pdu.response(), null, () => session.close()));
  session.on('close', () => receivers.delete(session));
  session.on('error', () => receivers.delete(session));
}).listen(port, '127.0.0.1', () => say({ event: 'listening', port }));
