// Coordinates: from the maps' system to GPS's, and distances.
#pragma once

#include "engine/base/value.h"

namespace tillwatch::rules {

struct Position {
  double latitude = 0;  // degrees, WGS-84
  double longitude = 0;
};

// GCJ-02 ("Mars coordinates", what Chinese maps and SDKs give) moves a WGS-84 position by 300-700 m inside a box around China;
// the forward formula is published, the way back is found by iteration. wgs84(gcj02(p)) is within 1 cm of p (a test holds
// 10,000 positions). The formula itself agrees with the official converter to about 2 m, so distances between systems do too.
// Outside the box both systems are the same; within 700 m of its edge a converted position may be off by the whole shift.
Position gcj02_of_wgs84(Position position);
Position wgs84_of_gcj02(Position position);

Position wgs84_position(const Value& geo);

// Great-circle metres on a sphere of the Earth's mean radius: up to 0.6 % off the ellipsoid.
double distance_m(Position a, Position b);

}  // namespace tillwatch::rules
