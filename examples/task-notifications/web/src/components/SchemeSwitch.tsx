import { Center, SegmentedControl, useMantineColorScheme, VisuallyHidden } from "@mantine/core";
import { type Icon, IconDeviceDesktop, IconMoon, IconSun } from "@tabler/icons-react";

const schemes: readonly { value: "light" | "dark" | "auto"; name: string; Icon: Icon }[] = [
  { value: "light", name: "Light", Icon: IconSun },
  { value: "dark", name: "Dark", Icon: IconMoon },
  { value: "auto", name: "As the system", Icon: IconDeviceDesktop },
];

/** Light, dark, or as the system is. Mantine remembers the choice. */
export function SchemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <SegmentedControl
      aria-label="Colours of the page"
      size="xs"
      radius="xl"
      withItemsBorders={false}
      value={colorScheme}
      onChange={setColorScheme}
      data={schemes.map(({ value, name, Icon }) => ({
        value,
        label: (
          <Center h={20} title={name}>
            <Icon size={16} aria-hidden="true" />
            <VisuallyHidden>{name}</VisuallyHidden>
          </Center>
        ),
      }))}
    />
  );
}
