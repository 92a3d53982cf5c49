import { Button, Text } from "@mantine/core";
import { IconActivity, IconBroadcast, IconLogout, IconPlug, IconPlugConnectedX, IconSend } from "@tabler/icons-react";
import { useEffect, useState, useSyncExternalStore } from "react";
import { Brand } from "../../../../task-notifications/web/src/components/Brand.tsx";
import { SchemeSwitch } from "../../../../task-notifications/web/src/components/SchemeSwitch.tsx";
import { connect } from "../actions/connect.ts";
import connectCode from "../actions/connect.ts?raw";
import { disconnect } from "../actions/disconnect.ts";
import disconnectCode from "../actions/disconnect.ts?raw";
import { ping } from "../actions/ping.ts";
import pingCode from "../actions/ping.ts?raw";
import publishCode from "../actions/publish.ts?raw";
import sendCode from "../actions/send.ts?raw";
import { connected, nameOf, without } from "../people/people.ts";
import { Session } from "../session.ts";
import type { Settings } from "../settings.ts";
import { namedTokens } from "../sign-in/named-tokens.ts";
import type { SignedInUser, SignIn } from "../sign-in/sign-in.ts";
import { ActionCard } from "./ActionCard.tsx";
import { notices, tellEvent } from "./notices.tsx";
import { ParameterCard } from "./ParameterCard.tsx";
import { StatusBar } from "./StatusBar.tsx";
import { useComposer } from "./use-composer.ts";
import classes from "./Workspace.module.css";

interface WorkspaceProps {
  readonly settings: Settings;
  readonly signIn: SignIn;
  readonly user: SignedInUser;
}

/** What a signed-in user sees. For another user mount it anew. */
export function Workspace({ settings, signIn, user }: WorkspaceProps) {
  const [session] = useState(
    () => new Session({ gatewayUrl: settings.gatewayUrl, token: namedTokens(signIn), onEvent: tellEvent }),
  );
  const { live: state, people: all, messages } = useSyncExternalStore(session.subscribe, () => session.state);
  useEffect(() => session.start(), [session]);
  const people = without(all, user.id);
  const composer = useComposer(session.live, people);
  const logOut = () => {
    disconnect(session.live);
    notices.clear();
    void signIn.signOut();
  };
  return (
    <>
      <header className={classes.header} data-state={state}>
        <Brand />
        <StatusBar state={state} names={[`${user.name} (you)`, ...connected(people).map(nameOf)]} />
        <div className={classes.actions}>
          <Text className={classes.user} size="sm" fw={600} title={`Signed in as ${user.name}`}>
            {user.name}
          </Text>
          <SchemeSwitch />
          <Button
            variant="default"
            size="xs"
            radius="xl"
            h={32}
            onClick={logOut}
            aria-label="Log out"
            title="Log out"
            leftSection={<IconLogout size={16} aria-hidden />}
            classNames={{ root: classes.logOut, section: classes.logOutSign, label: classes.logOutText }}
          >
            Log out
          </Button>
        </div>
      </header>
      <main className={classes.main}>
        <h1 className={classes.heading}>Messages of {user.name}</h1>
        <ParameterCard composer={composer} {...{ people, messages }} />
        <ActionCard
          {...{ title: "Publish message", code: publishCode, label: "Publish", Icon: IconBroadcast }}
          isDisabled={state !== "connected" || composer.busy === "send"}
          isBusy={composer.busy === "publish"}
          onClick={() => void composer.submit("publish")}
        />
        <ActionCard
          {...{ title: "Send message", code: sendCode, label: "Send", Icon: IconSend }}
          isDisabled={state !== "connected" || composer.busy === "publish"}
          isBusy={composer.busy === "send"}
          onClick={() => void composer.submit("send")}
        />
        <ActionCard
          {...{ title: "Connect", code: connectCode, label: "Connect", Icon: IconPlug }}
          isDisabled={state === "connected"}
          isBusy={state === "connecting"}
          onClick={() => connect(session.live)}
        />
        <ActionCard
          {...{ title: "Disconnect", code: disconnectCode, label: "Disconnect", Icon: IconPlugConnectedX }}
          isDisabled={state === "disconnected"}
          onClick={() => disconnect(session.live)}
        />
        <ActionCard
          {...{ title: "Ping", code: pingCode, label: "Ping", Icon: IconActivity }}
          isDisabled={state !== "connected"}
          // Its pong, or the lost line, is told as it comes.
          onClick={() => void ping(session.live).catch(() => undefined)}
        />
      </main>
    </>
  );
}
