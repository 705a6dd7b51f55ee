module weft.dev/bench/json

go 1.25
