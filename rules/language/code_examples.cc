// Example pairs of the codes. Tests hold that each wrong one is answered with its code and each right one with nothing.
#include <algorithm>

#include "rules/language/codes.h"

namespace tillwatch::rules {
namespace {

const std::vector<CodeExample>& table() {
  static const std::vector<CodeExample> examples = {
      {"E001", "message: {en: Debited: twice, zh: 重复扣款}", "message: {en: \"Debited: twice\", zh: 重复扣款}"},
      {"E002", "when: d.amount > 100\nwhen: d.mcc == \"5812\"", "when: d.amount > 100 and d.mcc == \"5812\""},
      {"E003", "whne: d.amount > 100", "when: d.amount > 100"},
      {"E004", "rule: big-debit\nversion: 1\non: debit as d\nseverity: low\nmessage: {en: Big, zh: 大额}",
       "rule: big-debit\nversion: 1\non: debit as d\nkey: [card_token]\nseverity: low\nmessage: {en: Big, zh: 大额}"},
      {"E005", "let: [count(this over 10m)]", "let:\n  n: count(this over 10m)"},
      {"E006", "tillwatch rules check rules/not-there.yaml", "tillwatch rules check rules/packs/payments"},
      {"E007", "labels: {team: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[risk]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
       "labels: {team: risk}"},
      {"E008", "where: has(rrn)\nexcept:\n  - *refunds", "where: &referenced has(rrn)\nwhen: has(d.rrn)"},
      {"E009", "version: one", "version: 1"},
      {"E010", "when: d.amount ＞ 100", "when: d.amount > 100"},
      {"E011", "when: (d.amount > 100", "when: (d.amount > 100)"},
      {"E012", "when: d.mcc == 0742", "when: d.mcc == \"0742\""},
      {"E013", "when: d.mcc == \"5812\" && d.amount > 100", "when: d.mcc == \"5812\" and d.amount > 100"},
      {"E014", "when: d.mcc == \"5812\" and d.amount > 100 or d.card_type == credit",
       "when: (d.mcc == \"5812\" and d.amount > 100) or d.card_type == credit"},
      {"E015", "when: 100 < d.amount <= 500", "when: 100 < d.amount and d.amount <= 500"},
      {"E016", "quiet: 5 minutes", "quiet: 5m"},
      {"E017", "let:\n  n: count(this)", "let:\n  n: count(this over 10m)"},
      {"E018", "then:\n  - absent: undoing", "then:\n  - absent: undoing\n    within: 5m"},
      {"E019", "when: ((((((((((((((((((((((((((((((((((((((((d.amount > 1))))))))))))))))))))))))))))))))))))))))",
       "when: d.amount > 1"},
      {"E020", "key: [card_tokem]", "key: [card_token]"},
      {"E021", "where: status == aproved", "where: status == approved"},
      {"E022", "when: d.order_no == \"7\"", "when: (d.order_no ?? \"\") == \"7\""},
      {"E023", "except:\n  - mcc in lists.repeat_purchase", "except:\n  - mcc in lists.repeat_purchase_mcc"},
      {"E024", "when: d > 100", "when: d.amount > 100"},
      {"E025", "let:\n  name: merchants.name", "let:\n  name: merchants[d.merchant_id].name ?? \"\""},
      {"E026", "let:\n  yuan: d.amount.yuan", "let:\n  yuan: d.amount"},
      {"E027", "let:\n  m: debit[d.merchant_id]", "let:\n  m: merchants[d.merchant_id]"},
      {"E028", "let:\n  s: subscriptions[d.card_token]", "let:\n  s: subscriptions[d.card_token, \"cardholder\"]"},
      {"E029", "let:\n  a: d.amount ?? 0", "let:\n  a: d.amount"},
      {"E030", "when: d.mcc == 5812", "when: d.mcc == \"5812\""},
      {"E031", "when: d.amount", "when: d.amount > 0"},
      {"E032", "where: card_type == \"credit\"", "where: card_type == credit"},
      {"E033", "when: d.mcc < \"5812\"", "when: d.mcc != \"5812\""},
      {"E034", "where: mcc in \"5812\"", "where: mcc in [\"5812\", \"5814\"]"},
      {"E035", "let:\n  twice: d.amount * d.amount", "let:\n  twice: d.amount * 2"},
      {"E036", "let:\n  n: floor(d.mcc)", "let:\n  n: floor(2.5)"},
      {"E037", "let:\n  n: flor(1.5)", "let:\n  n: floor(1.5)"},
      {"E038", "let:\n  n: count(debits over 1d)", "let:\n  n: count(debit over 1d)"},
      {"E039", "let:\n  total: sum(mcc of this over 1d)", "let:\n  total: sum(amount of this over 1d)"},
      {"E040", "let:\n  n: count(slip over 1d)", "let:\n  n: count(undoing over 1d)"},
      {"E041", "key: [amount]\nthen:\n  - absent: undoing\n    by: merchant_id = amount\n    within: 5m",
       "key: [amount]\nthen:\n  - absent: undoing\n    within: 5m"},
      {"E042", "on: debit d", "on: debit as d"},
      {"E043", "let:\n  amount: 1", "let:\n  least: 1"},
      {"E044", "when: elapsed > 5m", "severity: {high: elapsed > 5m, else: low}"},
      {"E045", "where: count(this over 1d) > 3", "when: count(this over 1d) > 3"},
      {"E046", "let:\n  ref: d.rrn else wait 60s", "let:\n  ref: d.rrn else skip"},
      {"E047", "where: mcc matches \"58(\"", "where: mcc matches \"58[0-9]{2}\""},
      {"E048", "key: [location]", "key: [terminal_id]"},
      {"E050", "message: {en: Debited twice}", "message: {en: Debited twice, zh: 重复扣款}"},
      {"E051", "message: {en: \"{d.amount:time}\", zh: \"{d.amount:money}\"}",
       "message: {en: \"{d.amount:money}\", zh: \"{d.amount:money}\"}"},
      {"E052", "message: {en: \"{d.amount:money\", zh: 扣款}", "message: {en: \"{d.amount:money}\", zh: 扣款}"},
      {"E053", "severity: {high: d.amount > 100}", "severity: {high: d.amount > 100, else: low}"},
      {"E054", "emit: {stream: slip, fields: {txn_id: d.txn_id}}", "emit: {stream: unanswered, fields: {txn_id: d.txn_id}}"},
      {"E055",
       "rule: first\nversion: 1\non: passed as p\nkey: [txn_id]\nemit: {stream: unanswered, fields: {txn_id: "
       "p.txn_id}}\n---\nrule: second\nversion: 1\non: "
       "unanswered as u\nkey: [txn_id]\nemit: {stream: passed, fields: {txn_id: u.txn_id, next_id: u.txn_id}}",
       "rule: first\nversion: 1\non: debit as d\nkey: [txn_id]\nemit: {stream: unanswered, fields: {txn_id: d.txn_id}}"},
      {"E056", "rule: silent\nversion: 1\non: debit as d\nkey: [card_token]",
       "rule: spoken\nversion: 1\non: debit as d\nkey: [card_token]\nseverity: low\nmessage: {en: Debited, zh: 扣款}"},
      {"E057", "rule: Big_Debit\nversion: 1\non: debit as d\nkey: [card_token]\nseverity: low\nmessage: {en: Big, zh: 大额}",
       "rule: big-debit\nversion: 1\non: debit as d\nkey: [card_token]\nseverity: low\nmessage: {en: Big, zh: 大额}"},
      {"E058", "emit: {stream: unanswered, fields: {txn_id: d.pan_masked}}",
       "emit: {stream: unanswered, fields: {txn_id: d.txn_id}}"},
      {"E059", "limit: 50 alerts by issuer_id", "limit: 50 per 10m by issuer_id"},
      {"E060",
       "streams:\n  sale: {topic: sales, time: made_at, id: [number], fields: {number: string, made_at: time, card: strin}}",
       "streams:\n  sale: {topic: sales, time: made_at, id: [number], fields: {number: string, made_at: time, card: string}}"},
      {"E061",
       "streams:\n  sale: {topic: sales, time: made_at, id: [number], fields: {number: string, made_at: time, amount: money}}",
       "streams:\n  sale:\n    topic: sales\n    time: made_at\n    id: [number]\n    fields:\n      number: string\n      "
       "made_at: "
       "time\n      amount: money(amount_minor, "
       "currency)"},
      {"E062", "streams:\n  sale: {topic: sales, time: made_at, id: [number], fields: {number: string, made_at: string}}",
       "streams:\n  sale: {topic: sales, time: made_at, id: [number], fields: {number: string, made_at: time}}"},
      {"E063",
       "rule: big\nversion: 1\non: debit as d\nkey: [card_token]\nseverity: low\nmessage: {en: Big, zh: 大额}\n---\nrule: "
       "big\nversion: 1\non: debit as d\nkey: "
       "[merchant_id]\nseverity: low\nmessage: {en: Big, zh: 大额}",
       "rule: big-per-card\nversion: 1\non: debit as d\nkey: [card_token]\nseverity: low\nmessage: {en: Big, zh: "
       "大额}\n---\nrule: big-per-merchant\nversion: 1\non: debit as "
       "d\nkey: [merchant_id]\nseverity: low\nmessage: {en: Big, zh: 大额}"},
      {"E064", "lists:\n  car_parks: {file: lists/none.txt}", "lists:\n  car_parks: [\"7523\"]"},
      {"E065", "streams:\n  big: {from: bigger, select: true}\n  bigger: {from: big, select: true}",
       "streams:\n  sale: {topic: sales, time: made_at, id: [number], fields: {number: string, made_at: time, large: bool}}\n  "
       "big: "
       "{from: sale, select: large}"},
      {"E066",
       "streams:\n  sale: {topic: sales, time: made_at, id: [number], fields: {number: string, made_at: time, fees: string}}\n "
       " "
       "fee: {from: sale, each: fees, fields: {kind: string}}",
       "streams:\n  sale: {topic: sales, time: made_at, id: [number], fields: {number: string, made_at: time}}\n  "
       "fee: {from: sale, each: fees, fields: {kind: string}}"},
      {"E079", "quick-pear.test.yaml beside quick-pair.yaml", "quick-pair.test.yaml beside quick-pair.yaml"},
      {"E080", "given:\n  - {at: \"10:00\", slip: {txn_id: A}}",
       "cases:\n  - name: one slip\n    given:\n      - {at: \"10:00\", slip: {txn_id: A}}\n    expect: []"},
      {"E081", "cases: one slip", "cases:\n  - name: one slip\n    given: []\n    expect: []"},
      {"E082", "cases:\n  - name: one slip\n    gvien: []\n    expect: []",
       "cases:\n  - name: one slip\n    given: []\n    expect: []"},
      {"E083", "cases:\n  - name: one slip\n    given:\n      - {at: noon, slip: {txn_id: A}}\n    expect: []",
       "cases:\n  - name: one slip\n    given:\n      - {at: \"12:00\", slip: {txn_id: A}}\n    expect: []"},
      {"E084", "cases:\n  - name: one slip\n    given: []", "cases:\n  - name: one slip\n    given: []\n    expect: []"},
      {"E085", "tables:\n  merchant: []\ncases:\n  - name: none\n    given: []\n    expect: []",
       "tables:\n  merchants: []\ncases:\n  - name: none\n    given: []\n    expect: []"},
      {"E086", "cases:\n  - name: one slip\n    given:\n      - {slip: {txn_id: A}}\n    expect: []",
       "cases:\n  - name: one slip\n    given:\n      - {at: \"12:00\", slip: {txn_id: A}}\n    expect: []"},
      {"E087", "cases:\n  - name: one debit\n    given:\n      - {at: \"12:00\", debit: {txn_id: A}}\n    expect: []",
       "cases:\n  - name: one debit\n    given:\n      - {at: \"12:00\", txn: {txn_id: A}}\n    expect: []"},
      {"E088", "cases:\n  - name: one sale\n    given:\n      - {at: \"12:00\", txn: {amount: many}}\n    expect: []",
       "cases:\n  - name: one sale\n    given:\n      - {at: \"12:00\", txn: {amount: 12850}}\n    expect: []"},
      {"E089", "cases:\n  - name: one sale\n    given: []\n    expect:\n      - {at: \"12:00\", severity: high}",
       "cases:\n  - name: one sale\n    given: []\n    expect:\n      - {at: \"12:00\", raise: {card_token: C1}, severity: "
       "high}"},
      {"E095",
       "then:\n  - event: undoing\n    within: if(d.mcc == \"5812\", 5m, 10m)\nemit: {stream: "
       "unanswered, fields: {txn_id: d.txn_id}}",
       "then:\n  - event: undoing\n    within: 10m\nemit: {stream: unanswered, fields: {txn_id: "
       "d.txn_id}}"},
      {"C001", "mode: embeded", "mode: embedded"},
      {"C002", "state: {path: \"${NOT_SET}\"}", "state: {path: /var/lib/tillwatch}"},
      {"C003", "mode: single\nsource: {generator: {}}", "mode: embedded\nsource: {generator: {}}"},
      {"C005", "tillwatch run --config not-there.yaml", "tillwatch run --config tillwatch.yaml"},
      {"W001", "when: d.mcc == \"7523\"", "when: d.mcc in lists.repeat_purchase_mcc"},
      {"W002", "rule: hears-nobody\nversion: 1\non: passed as p\nkey: [txn_id]\nseverity: low\nmessage: {en: Passed, zh: 通过}",
       "rule: says\nversion: 1\non: debit as d\nkey: [txn_id]\nemit: {stream: passed, fields: {txn_id: d.txn_id, next_id: "
       "d.txn_id}}\n---\nrule: hears\nversion: 1\non: passed "
       "as p\nkey: [txn_id]\nseverity: low\nmessage: {en: Passed, zh: 通过}"},
      {"W003", "then:\n  - absent: txn\n    within: 5m\n    grace: 1s",
       "then:\n  - absent: txn\n    within: 5m\n    grace: 10s"},
      {"W004", "let:\n  r: ratio(status == declined of this over 10m) ?? 0%\nwhen: r > 5%",
       "let:\n  n: count(this over 10m)\n  r: ratio(status == declined of this over 10m) ?? 0%\nwhen: n >= 20 and r > 5%"},
      {"W005", "when: has(d.mcc)", "when: has(d.rrn)"},
  };
  return examples;
}

}  // namespace

const CodeExample* find_code_example(std::string_view code) {
  const std::vector<CodeExample>& examples = table();
  const auto found =
      std::find_if(examples.begin(), examples.end(), [&](const CodeExample& example) { return example.code == code; });
  return found == examples.end() ? nullptr : &*found;
}

}  // namespace tillwatch::rules
