// Command taskapi serves a multi-user tasks API. Run it with --help for its commands and settings.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"taskapi/config"
	"taskapi/middleware"
	"taskapi/middleware/token"
	"taskapi/models"
	"taskapi/models/database"
	"taskapi/models/transfer"
	"taskapi/routes"
	"taskapi/routes/server"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run executes a command line and returns the exit status: 0, or 1 with the error on stderr.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := execute(ctx, args, stdin, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	command, err := config.ParseArgs(args)
	if err != nil {
		return err
	}
	switch command.Name {
	case config.Help:
		return config.WriteHelp(stdout)
	case config.OpenAPI:
		_, err := stdout.Write(routes.Document())
		return err
	case config.Copy:
		return copyDatabase(ctx, command, stdout, stderr)
	}
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	switch command.Name {
	case config.Explain:
		return explainToken(ctx, cfg, command.Token, stdin, stdout)
	case config.Migrate:
		log := cfg.Logger(stderr)
		cfg.Warn(log)
		return database.Migrate(ctx, cfg, models.Owned(), log)
	case config.Token:
		return printToken(cfg, command, stdout, stderr)
	case config.Health:
		return routes.CheckHealth(ctx, cfg.Address())
	}
	return serve(ctx, cfg, stderr)
}

func serve(ctx context.Context, cfg *config.Config, stderr io.Writer) error {
	defer runtime.KeepAlive(config.SetCollector())
	if err := cfg.EnsureSecret(stderr); err != nil {
		return err
	}
	log, drain := cfg.Logger(stderr), &middleware.Drain{}
	cfg.Warn(log)
	db, err := database.Open(ctx, cfg, models.Owned(), log)
	if err != nil {
		return err
	}
	defer database.Close(db)
	listener, err := net.Listen("tcp", cfg.Address())
	if err != nil {
		return fmt.Errorf("HOST and PORT: %w", err)
	}
	deps := routes.Deps{Config: cfg, DB: db, Log: log, Drain: drain, Keys: token.NewKeySet(ctx, cfg.Issuer, log)}
	if cfg.MetricsAddr != "" {
		deps.Metrics = middleware.NewMetrics(database.Collectors(db)...)
		if err := server.ServeMetrics(cfg.MetricsAddr, deps.Metrics.Handler(), log); err != nil {
			return err
		}
	}
	cfg.Announce(stderr, log, listener.Addr())
	return server.Serve(ctx, routes.New(deps), listener, drain)
}

func printToken(cfg *config.Config, command config.Command, stdout, stderr io.Writer) error {
	if err := cfg.EnsureSecret(stderr); err != nil {
		return err
	}
	if len(cfg.Secrets()) == 0 {
		return errors.New("BETTER_AUTH_SECRET: must be set to sign a token")
	}
	signed, err := token.Sign(cfg.Secrets()[0], command.User, command.TTL)
	if err == nil {
		_, err = fmt.Fprintln(stdout, signed)
	}
	return err
}

func explainToken(ctx context.Context, cfg *config.Config, text string, stdin io.Reader, stdout io.Writer) error {
	if text == "-" {
		text, _ = bufio.NewReader(io.LimitReader(stdin, middleware.MaxBody)).ReadString('\n')
	}
	return token.Explain(ctx, stdout, cfg, text)
}

func copyDatabase(ctx context.Context, command config.Command, stdout, stderr io.Writer) error {
	debug.SetGCPercent(50) // holds a copy of any size within 40 MB
	copied, err := transfer.Copy(ctx, command.From, command.To, models.Owned(), stderr)
	switch {
	case err == nil:
		_, err = fmt.Fprintf(stdout, "copied %s, verified\n", copied)
		return err
	case ctx.Err() != nil:
		return errors.New("copy: interrupted, the target is as it was")
	}
	return fmt.Errorf("copy: %s", database.OneLine(err))
}
