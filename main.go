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
	"syscall"

	"taskapi/config"
	"taskapi/middleware"
	"taskapi/models"
	"taskapi/routes"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	command, err := config.ParseArgs(args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	switch command.Name {
	case config.Help:
		return config.WriteHelp(stdout)
	case config.Copy:
		return copyDatabase(ctx, command, stdout, stderr)
	}
	cfg, err := config.Load()
	if err != nil {
		return err
	}
	switch command.Name {
	case config.Explain:
		return explain(ctx, cfg, command.Token, stdin, stdout)
	case config.Migrate:
		return models.Migrate(ctx, cfg, models.Owned(), cfg.Logger(stderr))
	case config.Token:
		return printToken(cfg, command, stdout, stderr)
	case config.Health:
		return routes.CheckHealth(ctx, cfg.Address())
	}
	return serve(ctx, cfg, stderr)
}

func serve(ctx context.Context, cfg *config.Config, stderr io.Writer) error {
	if err := cfg.EnsureSecret(stderr); err != nil {
		return err
	}
	log, drain := cfg.Logger(stderr), &middleware.Drain{}
	db, err := models.Open(ctx, cfg, models.Owned(), log)
	if err != nil {
		return err
	}
	defer models.Close(db)
	listener, err := net.Listen("tcp", cfg.Address())
	if err != nil {
		return fmt.Errorf("HOST and PORT: %w", err)
	}
	parts := routes.Parts{Config: cfg, DB: db, Log: log, Drain: drain, Keys: middleware.KeepKeySet(ctx, cfg.Issuer, log)}
	if cfg.MetricsAddr != "" {
		parts.Metrics = middleware.NewMetrics(models.Collectors(db)...)
		if err := routes.ServeMetrics(cfg.MetricsAddr, parts.Metrics.Handler(), log); err != nil {
			return err
		}
	}
	cfg.Announce(stderr, log, listener.Addr())
	return routes.Serve(ctx, routes.New(parts), listener, drain)
}

func printToken(cfg *config.Config, command config.Command, stdout, stderr io.Writer) error {
	if err := cfg.EnsureSecret(stderr); err != nil {
		return err
	}
	if len(cfg.Secrets()) == 0 {
		return errors.New("BETTER_AUTH_SECRET: must be set to sign a token")
	}
	token, err := middleware.SignToken(cfg.Secrets()[0], command.User, command.TTL)
	if err == nil {
		_, err = fmt.Fprintln(stdout, token)
	}
	return err
}

func explain(ctx context.Context, cfg *config.Config, token string, stdin io.Reader, stdout io.Writer) error {
	if token == "-" {
		token, _ = bufio.NewReader(io.LimitReader(stdin, middleware.MaxBody)).ReadString('\n')
	}
	return middleware.Explain(ctx, stdout, cfg, token)
}

func copyDatabase(ctx context.Context, command config.Command, stdout, stderr io.Writer) error {
	progress := config.NewProgress(stderr)
	copied, err := models.Copy(ctx, command.From, command.To, models.Owned(), progress.Show)
	progress.End()
	if err == nil {
		_, err = fmt.Fprintf(stdout, "copied %d tasks of %d users, verified\n", copied.Tasks, copied.Users)
	}
	return err
}
