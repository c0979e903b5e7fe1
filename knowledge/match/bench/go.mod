module canteen/knowledge/match/bench

go 1.26.0

require canteen v0.0.0

replace canteen => ../../..
