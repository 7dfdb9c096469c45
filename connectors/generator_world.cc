#include "connectors/generator_world.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "connectors/generator_json.h"

namespace tillwatch::connectors::generation {
namespace {

constexpr uint32_t kOrdinaryProviders = 3;

// Builds the world merchant by merchant and card by card from one stream of random numbers.
class Founding {
 public:
  Founding(const GeneratorOptions& options, World& world) : options_(options), world_(world), random_(options.seed, 1) {}

  void found(const std::vector<Casting>& castings) {
    world_.began_at = options_.start;
    found_issuers();
    world_.acquirers.resize(kOrdinaryAcquirers);
    world_.ordinary_merchants = static_cast<uint32_t>(options_.merchants);
    world_.ordinary_cards = static_cast<uint32_t>(options_.cards);
    for (uint32_t i = 0; i < world_.ordinary_merchants; ++i) add_merchant(any_category(), nullptr);
    for (uint32_t i = 0; i < world_.ordinary_cards; ++i) add_card();
    for (const Casting& casting : castings) {
      std::vector<Actors>& actors = world_.actors.emplace_back();
      for (uint32_t i = 0; i < casting.count; ++i) actors.push_back(find_actors(casting.cast));
    }
  }

 private:
  void found_issuers() {
    constexpr DurationMs kSubmitWithin[] = {120 * kSecond, 120 * kSecond, 180 * kSecond};
    for (int i = 0; i < options_.issuers; ++i) {
      const DurationMs submit_within = kSubmitWithin[i % 3];
      world_.issuers.push_back({.submit_within = submit_within,
                                .critical_after = submit_within == 120 * kSecond ? 300 * kSecond : 600 * kSecond,
                                .provider = static_cast<uint32_t>(i) % kOrdinaryProviders});
    }
    if (options_.issuers < 2) return;
    // One issuer works on its systems between two and four in the morning, every night.
    const auto issuer = static_cast<uint16_t>(options_.issuers - 1);
    const TimeMs first = local_midnight(options_.start) - kDay + 2 * kHour;
    for (TimeMs from = first; from < options_.start + options_.length; from += kDay) {
      world_.maintenance.push_back({.issuer = issuer, .from = from, .to = from + 2 * kHour});
    }
  }

  Actors find_actors(const Cast& cast) {
    Actors actors = {.merchant = count_of(world_.merchants),
                     .card = count_of(world_.cards),
                     .issuer = count_of(world_.issuers),
                     .stranger = 0,
                     .number = ++anomalies_};
    if (cast.acquirer) world_.acquirers.emplace_back();
    for (uint32_t i = 0; i < cast.merchants; ++i) add_merchant(standard_category(), &cast);
    if (cast.unregistered) {
      actors.stranger = count_of(world_.terminals);
      add_terminal(world_.merchants.back(), count_of(world_.merchants) - 1);
      world_.terminals.back().registered = false;
    }
    if (cast.issuer) world_.issuers.push_back({.provider = kOrdinaryProviders + actors.number});
    // Not of the last ordinary one, which works on its systems at night.
    const auto issuers = static_cast<uint32_t>(std::max(1, options_.issuers - 1));
    for (uint32_t i = 0; i < cast.cards; ++i) {
      Card& card = add_card();
      card.enabled = true;
      card.channels = kBySms | kByPush;
      if (cast.issuer) card.carrier = static_cast<uint8_t>(actors.number % 3);
      card.issuer = static_cast<uint16_t>(cast.issuer ? actors.issuer : (actors.number + i) % issuers);
    }
    return actors;
  }

  template <class Row>
  static uint32_t count_of(const std::vector<Row>& rows) {
    return static_cast<uint32_t>(rows.size());
  }

  const Category& any_category() {
    uint32_t pick = random_.below(100);
    for (const Category& category : categories()) {
      if (pick < category.weight) return category;
      pick -= category.weight;
    }
    return categories().front();
  }

  const Category& standard_category() {
    for (;;) {
      const Category& category = any_category();
      if (category.tier == CategoryTier::standard) return category;
    }
  }

  // `cast`: of those set apart; null: an ordinary one.
  void add_merchant(const Category& category, const Cast* cast) {
    const bool ordinary = cast == nullptr;
    Merchant merchant;
    merchant.mcc = category.mcc;
    name_merchant(merchant, cast);
    merchant.effective_from = local_midnight(options_.start) - (60 + random_.below(900)) * kDay;
    const uint32_t index = static_cast<uint32_t>(world_.merchants.size());
    // The less visited ones subscribe: a busy one would be flooded.
    merchant.notified = random_.chance(150'000) && (!ordinary || index > world_.ordinary_merchants / 2);
    if (!ordinary) merchant.notified = cast->notified;
    merchant.min_notify_minor = random_.chance(500'000) ? 0 : 10'000;
    merchant.contracts.push_back(first_contract(merchant, category, ordinary));
    if (ordinary) change_lawfully(merchant);
    merchant.first_terminal = static_cast<uint32_t>(world_.terminals.size());
    merchant.terminals =
        ordinary && !random_.chance(333'333) ? 1 + random_.below(static_cast<uint32_t>(options_.terminals_per_merchant)) : 1;
    if (!ordinary) merchant.terminals = 2;
    for (uint32_t i = 0; i < merchant.terminals; ++i) add_terminal(merchant, index);
    world_.merchants.push_back(std::move(merchant));
  }

  // The id: acquirer, region in one of the two code systems, MCC and a serial whose first place is a letter now and then.
  void name_merchant(Merchant& merchant, const Cast* cast) {
    const auto all_cities = static_cast<uint32_t>(cities().size());
    for (;;) {
      merchant.acquirer = static_cast<uint16_t>(random_.below(kOrdinaryAcquirers));
      if (cast != nullptr && cast->acquirer) merchant.acquirer = static_cast<uint16_t>(world_.acquirers.size() - 1);
      merchant.city = merchant.id_city = static_cast<uint8_t>(random_.below(all_cities));
      if (cast != nullptr && cast->one_city) merchant.city = merchant.id_city = static_cast<uint8_t>(anomalies_ % all_cities);
      if (cast != nullptr && cast->foreign_region) merchant.id_city = static_cast<uint8_t>((merchant.city + 1) % all_cities);
      merchant.gb_region = random_.chance(500'000);
      const City& city = cities()[merchant.id_city];
      const std::string region = merchant.gb_region ? city.gb_code : city.union_pay_code;
      const uint32_t serial = serials_[{merchant.acquirer % 10, region, merchant.mcc}]++;
      if (serial >= 10'000) continue;
      merchant.id = std::to_string(990 + merchant.acquirer % 10) + region;
      append_padded(merchant.id, merchant.mcc, 4);
      append_padded(merchant.id, serial, 4);
      if (random_.chance(200'000)) merchant.id[11] = static_cast<char>('A' + (merchant.id[11] - '0'));
      return;
    }
  }

  Contract first_contract(const Merchant& merchant, const Category& category, bool ordinary) {
    Contract contract;
    contract.version = 1 + static_cast<int>(random_.below(3));
    contract.effective_from = merchant.effective_from;
    contract.notice_at = contract.effective_from - 40 * kDay;
    contract.recorded_at = contract.effective_from - 39 * kDay;
    if (category.tier == CategoryTier::exempt) return contract;
    contract.refund_fee_returned = random_.chance(800'000);
    if (category.tier == CategoryTier::preferential) {
      contract.credit = {.rate_ppm = 3800};
      contract.debit = {.rate_ppm = 3800, .cap_minor = 1800};
      contract.qr_credit = contract.qr_debit = {.rate_ppm = 3800};
      return contract;
    }
    constexpr int32_t kRates[] = {6000, 6000, 6000, 5500, 5800, 5750};
    contract.credit = {.rate_ppm = ordinary ? kRates[random_.below(6)] : 6000};
    contract.debit = {.rate_ppm = 5000, .cap_minor = 2000};
    contract.qr_credit = contract.qr_debit = {.rate_ppm = 3800};
    if (ordinary && random_.chance(150'000)) {
      contract.qr_credit = contract.qr_debit = {.rate_ppm = 6000, .upto_minor = 100'000, .tier_rate_ppm = 3800};
    }
    if (ordinary && random_.chance(40'000)) contract.credit.flat_minor = 300;  // the money comes the same day
    return contract;
  }

  // A few merchants get a new rate with notice, and a few another MCC, within the run and known before it.
  void change_lawfully(Merchant& merchant) {
    const TimeMs when = options_.start + random_.between(0, std::min<DurationMs>(options_.length, 40 * kDay) / 1000) * 1000;
    if (random_.chance(40'000) && category_of(merchant.mcc).tier == CategoryTier::standard) {
      Contract contract = merchant.contracts.back();
      contract.version += 1;
      contract.effective_from = when;
      contract.notice_at = local_midnight(options_.start) - 35 * kDay;
      contract.recorded_at = local_midnight(options_.start) - 34 * kDay;
      contract.credit.rate_ppm = contract.credit.rate_ppm == 6000 ? 5800 : 6000;
      merchant.contracts.push_back(contract);
    }
    if (random_.chance(15'000) && merchant.mcc == 5812) {
      merchant.later_mcc = 5814;
      merchant.mcc_changes_at = when;
    }
  }

  void add_terminal(const Merchant& merchant, uint32_t merchant_index) {
    constexpr uint8_t kDevices[] = {2, 2, 4, 4, 4, 3, 10};
    const City& city = cities()[merchant.city];
    Terminal terminal;
    terminal.merchant = merchant_index;
    terminal.stan = random_.below(900'000);
    terminal.device_type = kDevices[random_.below(7)];
    terminal.app_version = static_cast<uint8_t>(random_.below(5));
    terminal.slip = terminal.device_type == 3 || terminal.device_type == 10 ? SlipKind::electronic : SlipKind::paper;
    terminal.located = terminal.device_type != 2;
    terminal.offline_capable = terminal.device_type == 4 && random_.chance(300'000);
    terminal.latitude_e4 = city.latitude_e4 + static_cast<int32_t>(random_.between(-900, 900));
    terminal.longitude_e4 = city.longitude_e4 + static_cast<int32_t>(random_.between(-900, 900));
    world_.terminals.push_back(terminal);
  }

  Card& add_card() {
    constexpr int64_t kMinimums[] = {0, 0, 0, 0, 0, 10'000, 10'000, 10'000, 20'000, 20'000};
    constexpr uint8_t kChannels[] = {kBySms, kBySms, kBySms | kByPush, kBySms | kByPush, kBySms | kByPush | kByWechat, kByPush};
    const uint64_t number = world_.cards.size();
    Card card;
    card.token = mix(options_.seed * 0x51ed27ULL ^ mix(number + 0xca4dULL));
    card.last4 = static_cast<uint16_t>(random_.below(10'000));
    card.issuer = static_cast<uint16_t>(random_.below(static_cast<uint32_t>(options_.issuers)));
    card.type = random_.chance(550'000) ? CardType::credit : CardType::debit;
    card.channels = kChannels[random_.below(6)];
    card.carrier = static_cast<uint8_t>(random_.below(3));
    card.enabled = random_.chance(920'000);
    card.min_notify_minor = kMinimums[random_.below(10)];
    card.inclusive = !random_.chance(100'000);
    return world_.cards.emplace_back(card);
  }

  const GeneratorOptions& options_;
  World& world_;
  Random random_;
  uint32_t anomalies_ = 0;
  std::map<std::tuple<int, std::string, uint16_t>, uint32_t> serials_;
};

}  // namespace

// Medians and spreads are guesses that look like a city's card slips.
const std::vector<Category>& categories() {
  using enum CategoryTier;
  static const std::vector<Category> all = {
      {5812, standard, 16, 120, 9800, "Eating places, restaurants", "餐饮"},
      {5814, standard, 8, 90, 3200, "Fast food", "快餐"},
      {5311, standard, 7, 140, 26'000, "Department stores", "百货"},
      {5499, standard, 9, 110, 2300, "Convenience stores", "便利店"},
      {5651, standard, 6, 110, 31'000, "Clothing", "服装"},
      {5732, standard, 3, 130, 98'000, "Electronics", "数码"},
      {5912, standard, 5, 110, 6200, "Drug stores", "药房"},
      {7011, standard, 5, 100, 42'000, "Hotels", "酒店"},
      {7230, standard, 4, 100, 12'800, "Beauty and barber shops", "美容美发"},
      {7997, standard, 2, 100, 88'000, "Sports clubs", "健身"},
      {4722, standard, 2, 130, 140'000, "Travel agencies", "旅行社"},
      {5977, standard, 3, 110, 19'000, "Cosmetics", "化妆品"},
      {5411, preferential, 13, 120, 8600, "Supermarkets", "超市"},
      {5541, preferential, 5, 60, 28'000, "Filling stations", "加油站"},
      {4900, preferential, 2, 90, 15'000, "Utilities", "水电煤"},
      {4111, preferential, 3, 40, 400, "Transit", "公共交通"},
      {4121, preferential, 2, 90, 2800, "Taxis", "出租车"},
      {8062, exempt, 2, 150, 22'000, "Hospitals", "医院"},
      {8220, exempt, 2, 120, 150'000, "Universities", "高校"},
      {8398, exempt, 1, 120, 10'000, "Charities", "慈善"},
  };
  return all;
}

const Category& category_of(uint16_t mcc) {
  const auto& all = categories();
  const auto found = std::find_if(all.begin(), all.end(), [mcc](const Category& category) { return category.mcc == mcc; });
  TILLWATCH_CHECK(found != all.end());
  return *found;
}

bool is_repeat_purchase(uint16_t mcc) {
  constexpr uint16_t kExempt[] = {4111, 4112, 4121, 4131, 4784, 7523};
  return std::find(std::begin(kExempt), std::end(kExempt), mcc) != std::end(kExempt);
}

const std::array<City, 12>& cities() {
  static const std::array<City, 12> all = {{{"北京", "北京", "1000", "1101", 399'042, 1'164'074},
                                            {"上海", "上海", "2900", "3101", 312'304, 1'214'737},
                                            {"广州", "广东", "5810", "4401", 231'291, 1'132'644},
                                            {"深圳", "广东", "5840", "4403", 225'431, 1'140'579},
                                            {"杭州", "浙江", "3310", "3301", 302'741, 1'201'551},
                                            {"南京", "江苏", "3010", "3201", 320'603, 1'187'969},
                                            {"成都", "四川", "6510", "5101", 305'728, 1'040'668},
                                            {"武汉", "湖北", "5210", "4201", 305'928, 1'143'055},
                                            {"西安", "陕西", "7910", "6101", 343'416, 1'089'398},
                                            {"沈阳", "辽宁", "2210", "2101", 418'057, 1'234'315},
                                            {"济南", "山东", "4510", "3701", 366'512, 1'171'201},
                                            {"重庆", "重庆", "6530", "5001", 295'630, 1'065'516}}};
  return all;
}

const Contract& Merchant::contract_at(TimeMs time) const {
  const Contract* found = &contracts.front();
  for (const Contract& contract : contracts) {
    if (contract.effective_from <= time) found = &contract;
  }
  return *found;
}

std::string terminal_serial(uint32_t terminal) {
  std::string serial;
  append_padded(serial, 101 + terminal % 7, 8);
  serial += "SN";
  append_padded(serial, 123'456 + terminal, 8);
  return serial;
}

World::World(const GeneratorOptions& options, const std::vector<Casting>& castings) {
  Founding(options, *this).found(castings);
}

TimeMs World::maintenance_end(uint32_t issuer, TimeMs time) const {
  for (const Maintenance& window : maintenance) {
    if (window.issuer == issuer && window.from <= time && time < window.to) return window.to;
  }
  return 0;
}

}  // namespace tillwatch::connectors::generation
