#include "engine/demo_words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/base/words.h"

namespace tillwatch::engine {

std::string DemoWords::introduction(const DemoCommand& command) const {
  std::string pace(in("as fast as it goes", "全速"));
  if (command.speed == 1) pace = in("at its own pace", "原速");
  if (command.speed > 0 && command.speed != 1) {
    pace = chinese_ ? fmt::format("{} 倍速", command.speed) : fmt::format("at {} times its pace", command.speed);
  }
  return chinese_ ? fmt::format("{} 分钟刷卡流量，{}，种子 {}；其中注入了异常，请看它们如何被发现", command.minutes, pace,
                                command.seed)
                  : fmt::format("{} minutes of card traffic {}, seed {}; anomalies are injected: watch them being caught",
                                command.minutes, pace, command.seed);
}

std::string DemoWords::metrics_at(const std::string& address) const {
  return fmt::format("{}http://{}/metrics", in("metrics: ", "指标："), address);
}

std::string DemoWords::interrupted() const {
  return std::string(
      in("interrupted: what follows is judged against all that was injected so far", "已中断：以下按目前已注入的异常评判"));
}

std::string DemoWords::summary(uint64_t seed, uint64_t records, DurationMs length, uint64_t commits) const {
  if (chinese_) {
    return fmt::format("种子 {}：{} 条记录，{}流量，提交 {} 次；账目平衡", seed, grouped(records),
                       duration_in(Language::zh, length), grouped(commits));
  }
  return fmt::format("seed {}: {} records, {} of traffic, {} commits; the ledger balances", seed, grouped(records),
                     format_duration(length), grouped(commits));
}

std::string DemoWords::not_judged(const std::string& rule, uint64_t alerts) const {
  const std::string_view why = in("the truth of this traffic says nothing of it", "本流量的注入清单不涉及该规则");
  return chinese_ ? fmt::format("未评判：{}，告警 {} 条（{}）", rule, alerts, why)
                  : fmt::format("not judged: {}, {} ({})", rule, counted(alerts, "alert"), why);
}

std::string DemoWords::restarted(TimeMs at) const {
  return chinese_ ? fmt::format("已在 {} 重启，从存储继续", format_rfc3339(at))
                  : fmt::format("restarted at {}: it goes on from what is stored", format_rfc3339(at));
}

std::string DemoWords::rightly_silent(const std::vector<std::string>& rules) const {
  return fmt::format("{}{}", in("without cause to speak, and silent: ", "无注入亦无告警："), fmt::join(rules, in(", ", "、")));
}

std::string DemoWords::silent(uint64_t rules) const {
  return chinese_ ? fmt::format("另有 {} 条规则未评判，均无告警", rules)
                  : fmt::format("not judged, and silent: {}", counted(rules, "rule"));
}

std::string DemoWords::verdict(uint64_t missed, uint64_t false_alerts, uint64_t wrong) const {
  if (missed + false_alerts + wrong == 0) {
    return std::string(
        in("nothing missed, nothing false, every alert ended as it should", "无漏报，无误报，每条告警的结局均正确"));
  }
  return chinese_
             ? fmt::format("漏报 {}，误报 {}，结局不符 {}", missed, false_alerts, wrong)
             : fmt::format("{} missed, {} false, {} of another severity or end than the truth's", missed, false_alerts, wrong);
}

// The generator's notes are English.
std::string DemoWords::missed(const std::string& what, TimeMs at, const std::string& note) const {
  return chinese_ ? fmt::format("漏报：{}，{}", what, format_rfc3339(at))
                  : fmt::format("missed: {} at {} ({})", what, format_rfc3339(at), note);
}

std::string DemoWords::late(const std::string& what, TimeMs at, const std::string& note) const {
  return chinese_
             ? fmt::format("迟到：{}，{}，所需记录超出乱序容限", what, format_rfc3339(at))
             : fmt::format("late: {} at {} ({}): a record it needs came beyond the lateness", what, format_rfc3339(at), note);
}

std::string DemoWords::differs(const std::string& what, const std::string& said, const std::string& told,
                               const std::string& note) const {
  return chinese_ ? fmt::format("不符：{}，告警为 {}，应为 {}", what, said, told)
                  : fmt::format("differs: {} is {}, the truth says {} ({})", what, said, told, note);
}

std::string DemoWords::false_alert(const std::string& rule, TimeMs at, const std::string& message) const {
  return fmt::format("{}{} {}{}{}", in("false: ", "误报："), rule, format_rfc3339(at), in(": ", "："), message);
}

std::string DemoWords::false_alerts(const std::string& rule, const std::string& severity, uint64_t count,
                                    uint64_t shown) const {
  const uint64_t listed = std::min(count, shown);
  return chinese_ ? fmt::format("误报合计：{}，级别 {}，{} 条（以上列出 {} 条）", rule, severity, grouped(count), listed)
                  : fmt::format("false in all: {}, {}: {} ({} of them above)", rule, severity, counted(count, "alert"), listed);
}

std::string DemoWords::standing() const { return std::string(in("standing", "未解除")); }

}  // namespace tillwatch::engine
