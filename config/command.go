package config

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

// The commands.
const (
	Serve   = "serve"
	Token   = "token"
	Explain = "token explain"
	Migrate = "migrate"
	Copy    = "copy"
	Health  = "health"
	Help    = "help"
)

// Command is a parsed command line.
type Command struct {
	// Name is one of the constants above.
	Name string
	// User and TTL belong to [Token].
	User string
	TTL  time.Duration
	// Token belongs to [Explain]; "-" is the first line of stdin.
	Token string
	// From and To belong to [Copy].
	From, To Database
}

const usage = `taskapi serves a multi-user tasks API.

  taskapi [serve]                        serve the API: by default on port 8000, from tasks.db
  taskapi migrate                        bring the tables up to date
  taskapi token --user NAME [--ttl 24h]  print a token for the user NAME
  taskapi token explain [TOKEN | -]      say whether a token is accepted, and why (-: from stdin)
  taskapi copy --from URL --to URL       copy everything to an empty database or a new SQLite file
  taskapi health                         exit with 0 if the server with these settings answers
  taskapi --help                         print this

Settings come from the environment, then .env.local, then .env, with these defaults.
The file .env.example in the source explains each one.

`

// ParseArgs parses the arguments that follow the program's name. Its errors name the fault in one line.
func ParseArgs(args []string) (Command, error) {
	command := Command{Name: Serve}
	if len(args) == 0 {
		return command, nil
	}
	command.Name, args = args[0], args[1:]
	if command.Name == Token && len(args) > 0 && args[0] == "explain" {
		command.Name, args = Explain, args[1:]
	}
	flags := flag.NewFlagSet(command.Name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	var from, to string
	switch command.Name {
	case "--help", "-help", "-h":
		command.Name = Help
	case Help, Serve, Migrate, Explain, Health:
	case Token:
		flags.StringVar(&command.User, "user", "", "")
		flags.DurationVar(&command.TTL, "ttl", 24*time.Hour, "")
	case Copy:
		flags.StringVar(&from, "from", "", "")
		flags.StringVar(&to, "to", "", "")
	default:
		return command, fmt.Errorf("unknown command %q: see --help", command.Name)
	}
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		command.Name = Help
	case err != nil:
		return command, fmt.Errorf("%s: %w: see --help", command.Name, err)
	case command.Name == Explain:
		command.Token = cmp.Or(strings.Join(flags.Args(), " "), "-")
	case flags.NArg() > 0 && command.Name == Copy: // not quoted: it may be a URL with a password
		return command, errors.New("copy: takes only --from URL and --to URL: see --help")
	case flags.NArg() > 0:
		return command, fmt.Errorf("%s: unexpected argument %q: see --help", command.Name, flags.Arg(0))
	case command.Name == Token && command.User == "":
		return command, errors.New("token: --user is missing: see --help")
	case command.Name == Token && command.TTL <= 0:
		return command, fmt.Errorf("token: --ttl must be longer than 0, got %s: see --help", command.TTL)
	case command.Name == Copy:
		if command.From, err = ParseDatabaseURL(from); err != nil {
			return command, fmt.Errorf("copy: --from %w: see --help", err)
		}
		if command.To, err = ParseDatabaseURL(to); err != nil {
			return command, fmt.Errorf("copy: --to %w: see --help", err)
		}
	}
	return command, nil
}
