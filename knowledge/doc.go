// Package knowledge reads the folder that holds everything Canteen knows:
// entries in Markdown, the lexicon, this organisation's names and links, and
// the wording of every message the bot sends of itself.
//
// Reading is strict and complete: [Load] returns a [Base] of all good files, which never
// changes, and every [Problem] of the others with its line and column. [Folder] watches a
// folder and replaces its Base after each change; a bad file is replaced by its last good
// version.
//
// In reading order: entry.go (one file), layer.go and load.go (a folder and its
// overlays), local.go and wording.go (what differs between organisations), cues.go
// (the lanes), check.go (style and likeness), fit.go (what ranks them), folder.go
// and watch.go (watching and saving).
package knowledge
