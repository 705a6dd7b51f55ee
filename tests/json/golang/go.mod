module weft.dev/tests/json

go 1.25
