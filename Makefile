.PHONY: run test lint bench fuzz soak

run: ## serve the API on port 8000
	go run .

test: ## on SQLite and PostgreSQL
	go test ./...

lint: ## .golangci.yml; builds the linter the first time
	go tool -modfile=tools.mod golangci-lint run

bench: ## each endpoint beside its bare statement, and the server under load
	go test ./tests -run '^$$' -bench . -benchtime 2s

fuzz: ## each target for half a minute
	for target in FuzzBody FuzzGadget FuzzAuthorization FuzzPathID FuzzQuery FuzzListOnSQLite FuzzListOnPostgreSQL FuzzPreconditions \
	    FuzzIdempotencyKey FuzzRequest; do \
		go test ./tests -run '^$$' -fuzz "^$$target$$" -fuzztime 30s -fuzzminimizetime 5x || exit 1; \
	done

soak: ## a hundred clients that each change one row fifty times
	TEST_SOAK=1 go test ./tests -run TestClientsThatWriteWhatTheyHaveReadLoseNoUpdate -timeout 60m
