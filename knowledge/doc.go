// Package knowledge reads the folder that holds everything Canteen knows:
// entries in Markdown, the lexicon, this organisation's names and links, and
// the wording of every message the bot sends of itself.
//
// Reading is strict and complete: [Load] either gives a [Base], which never
// changes again, or every [Problem] of the folder with its line and column.
// [Folder] watches a folder and swaps a fresh Base in; a broken folder never
// takes the place of the last good one.
//
// In reading order: entry.go (one file), load.go (a folder and its overlays),
// local.go and wording.go (what differs between organisations), cues.go (the
// lanes), check.go (style and likeness), folder.go (watching and saving).
package knowledge
