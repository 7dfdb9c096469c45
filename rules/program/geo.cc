#include "rules/program/geo.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tillwatch::rules {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kEarthMeanRadiusM = 6'371'008.8;

// The ellipsoid of Krasovsky 1940, which GCJ-02 is built on.
constexpr double kAxisM = 6'378'245.0;
constexpr double kEccentricitySquared = 0.006'693'421'622'965'943'23;

double radians(double degrees) { return degrees * kPi / 180.0; }

bool in_box(Position position) {
  return position.longitude >= 72.004 && position.longitude <= 137.8347 && position.latitude >= 0.8293 &&
         position.latitude <= 55.8271;
}

double waves(double a, double first, double b, double second, double c, double third) {
  return (a * std::sin(first) + b * std::sin(second) + c * std::sin(third)) * 2.0 / 3.0;
}

// The shift of a position, in degrees; x and y are degrees from 105 E, 35 N.
Position shift(Position position) {
  const double x = position.longitude - 105.0;
  const double y = position.latitude - 35.0;
  const double root = std::sqrt(std::abs(x));
  const double common = waves(20, 6 * x * kPi, 20, 2 * x * kPi, 0, 0);
  const double north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + common +
                       waves(20, y * kPi, 40, y / 3 * kPi, 0, 0) + waves(160, y / 12 * kPi, 320, y * kPi / 30, 0, 0);
  const double east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + common +
                      waves(20, x * kPi, 40, x / 3 * kPi, 0, 0) + waves(150, x / 12 * kPi, 300, x / 30 * kPi, 0, 0);
  const double sine = std::sin(radians(position.latitude));
  const double flat = 1 - kEccentricitySquared * sine * sine;
  const double meridian_m = kAxisM * (1 - kEccentricitySquared) / (flat * std::sqrt(flat));
  const double parallel_m = kAxisM / std::sqrt(flat) * std::cos(radians(position.latitude));
  return {.latitude = north * 180 / (meridian_m * kPi), .longitude = east * 180 / (parallel_m * kPi)};
}

}  // namespace

Position gcj02_of_wgs84(Position position) {
  if (!in_box(position)) return position;
  const Position by = shift(position);
  return {.latitude = position.latitude + by.latitude, .longitude = position.longitude + by.longitude};
}

Position wgs84_of_gcj02(Position position) {
  if (!in_box(position)) return position;
  constexpr int kRounds = 4;  // each brings it nearer by a factor of a hundred or more
  Position guess = position;
  for (int round = 0; round < kRounds; ++round) {
    const Position by = shift(guess);
    guess = {.latitude = position.latitude - by.latitude, .longitude = position.longitude - by.longitude};
  }
  return guess;
}

Position wgs84_position(const Value& geo) {
  const Position position{.latitude = geo.lat_e7 / 1e7, .longitude = geo.lon_e7 / 1e7};
  return geo.aux == static_cast<uint16_t>(CoordinateSystem::gcj02) ? wgs84_of_gcj02(position) : position;
}

double distance_m(Position a, Position b) {
  const double half_north = std::sin(radians(b.latitude - a.latitude) / 2);
  const double half_east = std::sin(radians(b.longitude - a.longitude) / 2);
  const double chord =
      half_north * half_north + std::cos(radians(a.latitude)) * std::cos(radians(b.latitude)) * half_east * half_east;
  return 2 * kEarthMeanRadiusM * std::asin(std::sqrt(std::clamp(chord, 0.0, 1.0)));
}

}  // namespace tillwatch::rules
