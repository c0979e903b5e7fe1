package bot

// Finding is one thing that was checked, for `canteen doctor` and the desk.
type Finding struct {
	Name string // what was checked, such as "Slack: bot token"
	OK   bool
	Say  string // what was found, and how to mend it
}
