package store

// What is said to the databases, in the order in which the other files say it. Only
// what differs by table, in move.go, is put together there. Both databases read the
// same text, but for the last part.

// What a message is decided on.
const (
	findReply = `
		SELECT reply
		FROM inbound
		WHERE key = $1`

	findContact = `
		SELECT first_at, quiet_until
		FROM contact
		WHERE person = $1`

	findLast = `
		SELECT data
		FROM question
		WHERE person = $1
			AND place = $2
			AND at >= $3
		ORDER BY at DESC
		LIMIT 1`

	findMine = `
		SELECT data
		FROM escalation
		WHERE person = $1
			AND state <> 'closed'
		ORDER BY ref`

	// A reaction says in which conversation a message is, and not in which thread.
	findPosted = `
		SELECT id, ref, place
		FROM delivery
		WHERE lane = $1
			AND posted = $2
		ORDER BY seq DESC
		LIMIT 1`

	// What is asked anew from an old message is shown by the same.
	findShown = `
		SELECT data
		FROM question
		WHERE person = $1
			AND place = $2
			AND message = $3
		ORDER BY at DESC
		LIMIT 1`

	findSaid = `
		SELECT data
		FROM question
		WHERE person = $1
			AND said = $2
		ORDER BY at DESC
		LIMIT 1`

	findQuestion = `
		SELECT data
		FROM question
		WHERE id = $1`

	findEscalation = `
		SELECT data
		FROM escalation
		WHERE ref = $1`
)

// What a turn writes.
const (
	addKey = `
		INSERT INTO inbound (key, at, reply)
		VALUES ($1, $2, $3)
		ON CONFLICT (key) DO NOTHING`

	// Of two messages decided on at once, neither undoes what the other says: a
	// greeting is no end to the quiet after a private lane.
	saveContact = `
		INSERT INTO contact (person, first_at, quiet_until)
		VALUES ($1, $2, $3)
		ON CONFLICT (person) DO UPDATE SET
			first_at = CASE WHEN contact.first_at > 0 THEN contact.first_at ELSE excluded.first_at END,
			quiet_until = CASE
				WHEN contact.quiet_until > excluded.quiet_until THEN contact.quiet_until
				ELSE excluded.quiet_until
			END`

	// A question leads to one escalation, however many presses of it were decided on
	// at once.
	saveQuestion = `
		INSERT INTO question (id, person, place, at, data)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO UPDATE SET data = excluded.data
		WHERE question.ref IS NULL
			OR question.ref = $6`

	addEscalation = `
		INSERT INTO escalation (ref, version, state, urgent, person, nearest, opened_at, answered_at, data)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (ref) DO NOTHING`

	changeEscalation = `
		UPDATE escalation
		SET version = $1,
			state = $2,
			urgent = $3,
			person = $4,
			answered_at = $5,
			data = $6
		WHERE ref = $7
			AND version = $8`

	addTally = `
		INSERT INTO tally (day, decision, entry, what, n)
		VALUES ($1, $2, $3, $4, 1)
		ON CONFLICT (day, decision, entry, what) DO UPDATE SET n = tally.n + 1`
)

// What comms and the home page read.
const (
	listAnswered = `
		SELECT data
		FROM escalation
		WHERE nearest = $1
			AND answered_at > 0
		ORDER BY answered_at DESC
		LIMIT $2`

	listAsked = `
		SELECT data
		FROM question
		ORDER BY at DESC
		LIMIT $1`

	listPending = `
		SELECT data
		FROM escalation
		WHERE state IN ('open', 'claimed', 'waiting')
		ORDER BY urgent DESC, ref`

	listDone = `
		SELECT data
		FROM escalation
		WHERE state IN ('answered', 'closed')
		ORDER BY ref DESC
		LIMIT $1`

	listOf = `
		SELECT data
		FROM escalation
		WHERE person = $1
		ORDER BY ref DESC
		LIMIT $2`

	countAnswered = `
		SELECT COUNT(*)
		FROM escalation
		WHERE answered_at > $1`

	// With half of how many there are as the offset it is the median.
	findAnswerTime = `
		SELECT answered_at - opened_at
		FROM escalation
		WHERE answered_at > $1
		ORDER BY answered_at - opened_at
		LIMIT 1
		OFFSET $2`

	listPopular = `
		SELECT entry
		FROM tally
		WHERE day >= $1
			AND decision IN ('answer', 'shown')
			AND entry <> ''
		GROUP BY entry
		ORDER BY SUM(n) DESC, entry
		LIMIT $2`
)

// The outbox's queue.
const (
	addDelivery = `
		INSERT INTO delivery (
			id, adapter, lane, place, only_to, fallback, post, posted, version, private, ref,
			state, due_at, owner, attempt, unsure, error, created_at, settled_at
		)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10, $11, $12, '', 0, 0, '', $13, 0)
		ON CONFLICT (id) DO NOTHING`

	// A leased row keeps its lease: its sender settles an older version, which leaves
	// the row queued for the new one. What adapter $4 shows is there at once.
	updateDelivery = `
		UPDATE delivery
		SET post = $1,
			version = version + 1,
			settled_at = $2,
			error = '',
			state = CASE WHEN adapter = $4 THEN 'sent' ELSE 'queued' END,
			attempt = CASE WHEN owner = '' THEN 0 ELSE attempt END,
			due_at = CASE WHEN owner = '' THEN $2 ELSE due_at END
		WHERE id = $3`

	deliveryColumns = `id, place, only_to, fallback, post, posted, version, private, ref, attempt, unsure, created_at`

	// %s: the adapters.
	findDue = `
		SELECT seq
		FROM delivery
		WHERE state = 'queued'
			AND due_at <= $1
			AND adapter IN %s
		ORDER BY seq
		LIMIT 1`

	// %s: the adapters, and engine.lock.
	//
	// Who finds an owner on a row that is due again finds a lease that ran out: whether
	// that one's message was posted, nobody knows. The list of rows is made first and
	// once: PostgreSQL may run a subquery again for every row.
	leaseDue = `
		WITH head AS MATERIALIZED (
			SELECT d.seq
			FROM delivery d
			WHERE d.state = 'queued'
				AND d.due_at <= $3
				AND d.adapter IN %s
				AND NOT EXISTS (
					SELECT 1
					FROM delivery e
					WHERE e.lane = d.lane
						AND e.state = 'queued'
						AND (e.seq < d.seq OR (e.owner <> '' AND e.due_at > $3))
				)
			ORDER BY d.seq
			LIMIT $4
			%s
		)
		UPDATE delivery
		SET owner = $1,
			due_at = $2,
			attempt = attempt + 1,
			unsure = CASE WHEN owner <> '' THEN 1 ELSE unsure END
		WHERE seq IN (SELECT seq FROM head)
		RETURNING ` + deliveryColumns

	// %s: the adapters.
	findNextDue = `
		SELECT MIN(due_at)
		FROM delivery
		WHERE state = 'queued'
			AND adapter IN %s`

	// held is who holds the lease, on the attempt that they hold: anybody else's
	// settlement changes nothing.
	held = `
		WHERE id = $1
			AND owner = $2
			AND attempt = $3`

	settlePrivate = `
		DELETE FROM delivery` + held

	settleSent = `
		UPDATE delivery
		SET state = CASE WHEN version = $4 THEN 'sent' ELSE 'queued' END,
			posted = $5,
			owner = '',
			attempt = 0,
			unsure = 0,
			error = '',
			due_at = $6,
			settled_at = $6` + held

	settleAgain = `
		UPDATE delivery
		SET owner = '',
			unsure = $4,
			error = $5,
			due_at = $6` + held

	settleParked = `
		UPDATE delivery
		SET state = 'parked',
			owner = '',
			unsure = $4,
			error = $5,
			settled_at = $6` + held

	settleDiverted = `
		UPDATE delivery
		SET owner = '',
			attempt = 0,
			unsure = 0,
			error = $4,
			due_at = $5,
			adapter = $6,
			lane = $7,
			place = $8,
			only_to = '',
			fallback = '',
			posted = ''` + held

	listParked = `
		SELECT id, adapter, ref, error, created_at, settled_at
		FROM delivery
		WHERE state = 'parked'
		ORDER BY settled_at DESC, seq DESC
		LIMIT $1`

	retryParked = `
		UPDATE delivery
		SET state = 'queued',
			attempt = 0,
			due_at = $1
		WHERE id = $2
			AND state = 'parked'`

	// A person alone with the bot is the place.
	listAskedAlone = `
		SELECT data
		FROM question
		WHERE person = $1
			AND place = $1
		ORDER BY at DESC
		LIMIT $2`

	listSent = `
		SELECT ` + deliveryColumns + `
		FROM delivery
		WHERE place = $1
			AND state = 'sent'
		ORDER BY seq DESC
		LIMIT $2`
)

// What is erased in time; $1 is the end of what is.
const (
	purgeQuestions = `
		DELETE FROM question
		WHERE at < $1`

	purgeKeys = `
		DELETE FROM inbound
		WHERE at < $1`

	// What is about an escalation stays with it.
	purgeDeliveries = `
		DELETE FROM delivery
		WHERE created_at < $1
			AND state <> 'queued'
			AND ref = 0`

	purgeContacts = `
		DELETE FROM contact
		WHERE first_at = 0
			AND quiet_until < $1`

	// It is a trace of a private lane.
	purgeQuiet = `
		UPDATE contact
		SET quiet_until = 0
		WHERE quiet_until BETWEEN 1 AND $1`
)

// What is erased at a person's wish.
const (
	listEscalationsOf = `
		SELECT data
		FROM escalation
		WHERE person = $1`

	listAbout = `
		SELECT id
		FROM delivery
		WHERE ref = $1
			AND kind = $2`

	listQuestionsOf = `
		SELECT data
		FROM question
		WHERE person = $1`

	forgetDelivery = `
		DELETE FROM delivery
		WHERE id = $1`

	forgetSaidIn = `
		DELETE FROM delivery
		WHERE place = $1`

	forgetSaidTo = `
		DELETE FROM delivery
		WHERE place = $1
			OR only_to = $1`

	forgetQuestions = `
		DELETE FROM question
		WHERE person = $1`

	forgetContact = `
		DELETE FROM contact
		WHERE person = $1`

	forgetPlace = `
		DELETE FROM place
		WHERE place = $1`
)

// What adapters keep of places.
const (
	findPlace = `
		SELECT data
		FROM place
		WHERE place = $1`

	savePlace = `
		INSERT INTO place (place, at, data)
		VALUES ($1, $2, $3)
		ON CONFLICT (place) DO UPDATE SET
			at = excluded.at,
			data = excluded.data`
)

// What is counted: a name and a number a row.
const (
	countDecisions = `
		SELECT decision, SUM(n)
		FROM tally
		WHERE decision <> 'feedback'
		GROUP BY decision`

	countFeedback = `
		SELECT what, SUM(n)
		FROM tally
		WHERE decision = 'feedback'
		GROUP BY what`

	listWaiting = `
		SELECT state, opened_at
		FROM escalation
		WHERE state IN ('open', 'claimed', 'waiting')`

	countDeliveries = `
		SELECT state, COUNT(*)
		FROM delivery
		WHERE state IN ('queued', 'parked')
		GROUP BY state`

	// Without the HAVING there would be a row of NULL where nothing waits.
	findOldest = `
		SELECT 'oldest', MIN(created_at)
		FROM delivery
		WHERE state = 'queued'
		HAVING COUNT(*) > 0`
)

// The database as such.
const (
	ping = `SELECT 1`

	lastRef = `SELECT MAX(ref) FROM escalation`

	schemaVersion = `SELECT MAX(version_id) FROM goose_db_version`
)

// Only SQLite's.
const (
	// No other process has the file: whoever leased what is not settled is gone, and
	// what they were sending need not wait until their lease ends.
	endLeases = `
		UPDATE delivery
		SET due_at = $1
		WHERE owner <> ''
			AND due_at > $1`

	// What waits in a backup may have been sent since.
	doubtQueued = `
		UPDATE delivery
		SET unsure = 1
		WHERE state = 'queued'
			AND posted = ''`

	// It takes the room of some turns, and the next purge clears it away.
	tryWrite = `
		INSERT INTO inbound (key, at, reply)
		VALUES ('ping', 0, $1)
		ON CONFLICT (key) DO UPDATE SET reply = excluded.reply`
)

// Only PostgreSQL's.
const (
	// The end of a SELECT whose rows nobody else is claiming.
	skipLocked = `FOR UPDATE OF d SKIP LOCKED`

	nextRef = `SELECT nextval(pg_get_serial_sequence('escalation', 'ref'))`

	// A sequence cannot be set to NULL: where nothing came, nothing is set.
	renumberEscalations = `
		SELECT setval(pg_get_serial_sequence('escalation', 'ref'), MAX(ref))
		FROM escalation
		HAVING COUNT(*) > 0`

	renumberDeliveries = `
		SELECT setval(pg_get_serial_sequence('delivery', 'seq'), MAX(seq))
		FROM delivery
		HAVING COUNT(*) > 0`

	serverTime = `SELECT clock_timestamp()`

	// One that is not heard costs the others a second: they look of themselves. So it
	// need not wait for the server's disk.
	notifyOthers = `
		SELECT 1
		FROM set_config('synchronous_commit', 'off', true), pg_notify($1, $2)`
)
