#!/usr/bin/env bash
# Sends a message with the AWS command line (or CLIENT=curl), is refused, records the opt-in and
# sends again. Needs `headgate dev`, and python3 to read JSON. ENV_FILE and PHONE may be set.
set -euo pipefail
env_file=${ENV_FILE:-.headgate/dev.env}
set -a; source "$env_file"; set +a
phone=${PHONE:-+16135550$((RANDOM % 100 + 100))} # +1 613 555 0100 to 0199 is reserved for fiction

request=$(mktemp) # readable by its owner alone
trap 'rm -f "$request"' EXIT

# sqs ACTION: one call of the SQS API, its JSON on standard input: a body names a person, and
# arguments can be seen by everybody on the machine.
sqs() {
  if [ "${CLIENT:-aws}" = curl ]; then
    curl --silent --show-error --fail-with-body --config <(printf 'user = "%s:%s"\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY") \
      --aws-sigv4 "aws:amz:$AWS_REGION:sqs" -H 'Content-Type: application/x-amz-json-1.0' \
      -H "X-Amz-Target: AmazonSQS.$1" --data @- "$AWS_ENDPOINT_URL_SQS/"
  else
    case $1 in SendMessage) set -- send-message ;; ReceiveMessage) set -- receive-message ;; DeleteMessage) set -- delete-message ;; esac
    cat >"$request"
    aws sqs "$1" --region "$AWS_REGION" --endpoint-url "$AWS_ENDPOINT_URL_SQS" --output json --cli-input-json "file://$request"
  fi
}

# field EXPRESSION: prints a value of the JSON on standard input, read as d.
field() { python3 -c "import json,sys; t=sys.stdin.read(); d=json.loads(t) if t.strip() else {}; print($1)"; }

# send ID: one message onto the utility lane. The template is one of this deployment's.
send() {
  local template=${HEADGATE_DEV_TEMPLATES#*utility=}
  ID=$1 PHONE=$phone TEMPLATE=${template%%,*} python3 -c '
import json, os
e = os.environ
body = {"schema": "headgate.outbound/1", "id": e["ID"], "from": e["HEADGATE_DEV_PHONE_NUMBER_ID"],
        "to": {"phone": e["PHONE"], "ref": "customer-77"}, "purpose": "utility",
        "message": {"type": "template", "template": {"name": e["TEMPLATE"], "language": {"code": "en_US"}}}}
print(json.dumps({"QueueUrl": e["HEADGATE_QUEUE_UTILITY_URL"], "MessageBody": json.dumps(body)}))' | sqs SendMessage >/dev/null
}

# wait_for EXPRESSION: reads events, one at a time, until one fits; leaves it in $event.
wait_for() {
  local end=$((SECONDS + 60)) answer receipt
  while [ $SECONDS -lt $end ]; do
    answer=$(printf '{"QueueUrl":"%s","WaitTimeSeconds":5,"MaxNumberOfMessages":1}' "$HEADGATE_QUEUE_APP_EVENTS_URL" | sqs ReceiveMessage)
    receipt=$(field '(d.get("Messages") or [{}])[0].get("ReceiptHandle","")' <<<"$answer")
    [ -n "$receipt" ] || continue
    event=$(field 'd["Messages"][0]["Body"]' <<<"$answer")
    printf '{"QueueUrl":"%s","ReceiptHandle":"%s"}' "$HEADGATE_QUEUE_APP_EVENTS_URL" "$receipt" | sqs DeleteMessage >/dev/null
    if [ "$(field "bool($1)" <<<"$event")" = True ]; then
      field 'd["type"], d.get("id",""), d["data"].get("code","")' <<<"$event"
      return
    fi
  done
  echo 'no answer: is `headgate dev` running?' >&2
  exit 1
}
settled='d["type"] in ("message.refused","message.failed","message.delivered")'

id="example-$(date +%s)-$RANDOM"
send "$id-1"
wait_for "d.get('id') == '$id-1' and $settled"
if [ "$(field 'd["data"].get("code")' <<<"$event")" = no_consent ]; then
  command=$(field 'd["data"]["command"]' <<<"$event")
  subject=$(field 'd["subject"]' <<<"$event")
  echo "\$ $command"
  # In a checkout the command line is run by cargo; the env file may be another one here.
  read -ra words <<<"${command/--env-file .headgate\/dev.env/--env-file $env_file}"
  cargo run --quiet --bin headgate -- "${words[@]:1}"
  wait_for "d.get('subject') == '$subject' and d['type'] in ('subject.opted_in','consent.refused')"
  send "$id-2"
  wait_for "d.get('id') == '$id-2' and $settled"
fi
[ "$(field 'd["type"]' <<<"$event")" = message.delivered ]
