// Command taskapi serves a multi-user tasks API. Run it with --help for its commands and settings.
package main

import (
	"context"
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
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	command, err := config.ParseArgs(args)
	if err != nil {
		return err
	}
	switch command.Name {
	case config.Help:
		return config.WriteHelp(stdout)
	case config.Copy:
		return copyDatabase(command, stdout, stderr)
	}
	cfg, err := config.Load(stderr)
	if err != nil {
		return err
	}
	if command.Name == config.Token {
		token, err := middleware.SignToken(cfg.Secrets()[0], command.User, command.TTL)
		if err == nil {
			_, err = fmt.Fprintln(stdout, token)
		}
		return err
	}
	return serve(cfg, stderr)
}

func serve(cfg *config.Config, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	db, err := models.Open(ctx, cfg.Database)
	if err != nil {
		return err
	}
	defer models.Close(db)
	listener, err := net.Listen("tcp", cfg.Address())
	if err != nil {
		return fmt.Errorf("HOST and PORT: %w", err)
	}
	log, drain := cfg.Logger(stderr), &middleware.Drain{}
	cfg.Announce(stderr, log, listener.Addr())
	return routes.Serve(ctx, routes.New(cfg, db, log, drain), listener, drain)
}

func copyDatabase(command config.Command, stdout, stderr io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	progress := config.NewProgress(stderr)
	copied, err := models.Copy(ctx, command.From, command.To, progress.Show)
	progress.End()
	if err == nil {
		_, err = fmt.Fprintf(stdout, "copied %d tasks of %d users, verified\n", copied.Tasks, copied.Users)
	}
	return err
}
