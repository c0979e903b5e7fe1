module canteen/knowledge/match/bench

go 1.26.0

require canteen v0.0.0

require (
	github.com/kljensen/snowball v0.10.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace canteen => ../../..
