module weft/tests/http_client

go 1.19
