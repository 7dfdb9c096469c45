// What stands behind `limit`: two streams and a rule of its own, written in the language itself.
//
// An alert of a limited rule asks for its place by an event of one stream (ask_for). The rule made here counts the places asked for
// in each window, by event time; who has none is told by an event of the other stream, and is counted on its summary alert.
#pragma once

#include <string>

#include "rules/language/checked_rule.h"

namespace tillwatch::rules {

// Fields of the asking stream behind those of `by`: the parts of the rule's key, then these two.
inline constexpr const char* kAskedAnchor = "asked_anchor";  // int: the alert's anchor
inline constexpr const char* kAskedAmount = "asked_amount";  // money?: of the trigger

// Adds the streams for `rule`, whose limit they are written into.
void add_limit_streams(CheckedRule& rule, Schema& schema);

// The rule's text. Its name is that of `rule` with `-limit`.
std::string limit_rule_text(const CheckedRule& rule, const Schema& schema);

}  // namespace tillwatch::rules
