.PHONY: run test lint bench bench-all growth fuzz soak

run: ## serve the API on port 8000
	go run .

test: ## on SQLite and PostgreSQL
	go test -timeout 20m ./...

lint: ## .golangci.yml; builds the linter the first time
	go tool -modfile=tools.mod golangci-lint run

bench: ## the tables and the picture of docs/performance.md; BENCH_OLD=commit measures an older tree as well
	go test ./tests -run '^$$' -bench '^BenchmarkServers$$' -benchtime 1x -timeout 60m
	test -n "$$BENCH_ONLY" || go run -modfile=tools.mod tests/plot/main.go < docs/img/performance.json > docs/img/performance.svg

bench-all: ## each endpoint beside its bare statement, tokens, lists, bursts and copies
	go test ./tests -run '^$$' -bench 'Endpoints|Token|Lists|Burst|Copy' -benchtime 2s

growth: ## tables of up to ten million rows: 6 GB and a quarter of an hour
	BENCH_ROWS=10000,1000000,10000000 go test ./tests -run '^$$' -bench '^BenchmarkGrowth$$' -benchtime 1x -timeout 120m

fuzz: ## each target for half a minute
	for target in FuzzBody FuzzGadget FuzzAuthorization FuzzPathID FuzzQuery FuzzListOnSQLite FuzzListOnPostgreSQL FuzzPreconditions \
	    FuzzIdempotencyKey FuzzRequest; do \
		go test ./tests -run '^$$' -fuzz "^$$target$$" -fuzztime 30s -fuzzminimizetime 5x || exit 1; \
	done

soak: ## a hundred clients that each change one row fifty times
	TEST_SOAK=1 go test ./tests -run TestClientsThatWriteWhatTheyHaveReadLoseNoUpdate -timeout 60m
