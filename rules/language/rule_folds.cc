// What becomes of an alert that another one explains (`fold`), or that is one of too many (`limit`).
#include <algorithm>

#include "rules/language/names.h"
#include "rules/language/rule_reader.h"

namespace tillwatch::rules {

void RuleReader::fold() {
  const YamlNode* node = reader_.get("fold");
  if (node == nullptr) return;
  const ParseNodePtr value = parsed(*node, "`fold`");
  if (value == nullptr) return;
  Scope scope = waiting_scope("`fold`");
  scope.aggregates = false;
  ExpressionPtr checked = checker_.check(*value, scope);
  if (checked == nullptr) return;
  const bool plain = checked->node == Node::lookup && !checked->has_at;
  if (!plain || !schema_.tables[static_cast<size_t>(checked->index)].derived) {
    diagnostics_.error("E059", "`fold` is a look-up in a table that rules make", node->span, "not one")
        .helps.push_back("for example `fold: channel_outages[provider]`");
    return;
  }
  if (reader_.get("message") == nullptr) {
    diagnostics_.error("E004", "`fold` belongs to a rule that raises alerts", reader_.key_span("fold"));
    return;
  }
  rule_.fold = std::move(checked);
}

// `50 per 10m by issuer_id, …`
void RuleReader::limit() {
  const YamlNode* node = reader_.get("limit");
  if (node == nullptr || !expect_scalar(*node, "`limit`", diagnostics_)) return;
  const PlacedText text(*node, sources_);
  const std::vector<Token> tokens = tokenize(text, diagnostics_);
  if (tokens.empty()) return;
  const bool counted = tokens.size() >= 4 && tokens[0].kind == Token::Kind::integer && tokens[1].is("per") &&
                       tokens[2].kind == Token::Kind::duration;
  if (!counted || !(tokens[3].kind == Token::Kind::end || tokens[3].is("by"))) {
    diagnostics_.error("E059", "`limit` is `NUMBER per DURATION by FIELDS`", text.span(), "cannot be read")
        .helps.push_back("for example `limit: 50 per 10m by issuer_id`");
    return;
  }
  if (tokens[0].value < 1 || tokens[2].value < 1) {
    diagnostics_.error("E009", "a limit is at least 1, its duration longer than nothing",
                       text.span(tokens[0].begin, tokens[2].end));
    return;
  }
  if (reader_.get("message") == nullptr || rule_.stream < 0) {
    diagnostics_.error("E004", "`limit` belongs to a rule on a stream that raises alerts", reader_.key_span("limit"));
    return;
  }
  rule_.limit.span = node->span;
  if (!limited_by(*node, text, tokens)) return;
  rule_.limit.most = tokens[0].value;
  rule_.limit.per = tokens[2].value;
}

bool RuleReader::limited_by(const YamlNode& node, const PlacedText& text, const std::vector<Token>& tokens) {
  const std::vector<Field>& fields = schema_.root(rule_.stream).fields;
  std::string name;
  size_t begin = 0;
  bool good = true;
  for (size_t at = 4; at < tokens.size(); ++at) {
    const Token& token = tokens[at];
    if (token.kind == Token::Kind::word || token.is(".")) {
      if (name.empty()) begin = token.begin;
      name += token.text;
      continue;
    }
    const int field = find_field(fields, name);
    if (!token.is(",") && token.kind != Token::Kind::end) {
      diagnostics_.error("E059", "`by` of a limit is a list of fields", text.span(token.begin, token.end));
      return false;
    }
    if (field < 0 && !context_.broken_streams.contains(rule_.stream)) {
      const Span span = name.empty() ? node.span : text.span(begin, token.begin);
      suggest_field(
          diagnostics_.error(
              "E020", "stream `" + schema_.streams[static_cast<size_t>(rule_.stream)].name + "` has no field `" + name + "`",
              span, "unknown field"),
          name, fields, schema_, sources_);
    }
    good = good && field >= 0;
    rule_.limit.by.push_back(field);
    name.clear();
  }
  return good;
}

}  // namespace tillwatch::rules
