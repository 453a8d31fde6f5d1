const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [...["January", "February", "March", "April", "May", "June"], ...["July", "August", "September", "October", "November", "December"]];
/** What stands for something in a layout, longer ones first. */
const ELEMENTS =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|_2006|__2|_2|002|01|02|03|04|05|06|15|PM|pm|Z07:00:00|Z070000|Z07:00|Z0700|Z07|-07:00:00|-070000|-07:00|-0700|-07|[.,](?:0+|9+)(?!\d)|[1-5]/gu;

/** A time in UTC by one of Go's layouts, which writes the time 2006-01-02 15:04:05 the way that is wanted. */
export function formatGoTime(time: number, layout: string): string {
  const date = new Date(time);
  return layout.replace(ELEMENTS, (element) => elementText(date, element));
}

function elementText(date: Date, element: string): string {
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  const [hour, minute, second] = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()];
  const dayOfYear = Math.round((Date.UTC(year, month, day) - Date.UTC(year, 0, 1)) / 86_400_000) + 1;
  const two = (value: number): string => String(value).padStart(2, "0");
  switch (element) {
    case "2006":
      return String(year).padStart(4, "0");
    case "_2006":
      return `_${String(year).padStart(4, "0")}`;
    case "06":
      return two(year % 100);
    case "January":
      return MONTHS[month] ?? "";
    case "Jan":
      return (MONTHS[month] ?? "").slice(0, 3);
    case "01":
      return two(month + 1);
    case "1":
      return String(month + 1);
    case "Monday":
      return DAYS[date.getUTCDay()] ?? "";
    case "Mon":
      return (DAYS[date.getUTCDay()] ?? "").slice(0, 3);
    case "02":
      return two(day);
    case "_2":
      return String(day).padStart(2, " ");
    case "2":
      return String(day);
    case "002":
      return String(dayOfYear).padStart(3, "0");
    case "__2":
      return String(dayOfYear).padStart(3, " ");
    case "15":
      return two(hour);
    case "03":
      return two(hour % 12 || 12);
    case "3":
      return String(hour % 12 || 12);
    case "04":
      return two(minute);
    case "4":
      return String(minute);
    case "05":
      return two(second);
    case "5":
      return String(second);
    case "PM":
      return hour < 12 ? "AM" : "PM";
    case "pm":
      return hour < 12 ? "am" : "pm";
    case "MST":
      return "UTC";
    default:
      return element.startsWith("Z") ? "Z" : element.startsWith("-") ? `+${element.slice(1).replace("07", "00")}` : fraction(date, element);
  }
}

/** `.000` keeps its digits, `.999` drops noughts at the end. */
function fraction(date: Date, element: string): string {
  const digits = String(date.getUTCMilliseconds())
    .padStart(3, "0")
    .padEnd(element.length - 1, "0")
    .slice(0, element.length - 1);
  if (element.endsWith("0")) return `${element.charAt(0)}${digits}`;
  const kept = digits.replace(/0+$/u, "");
  return kept === "" ? "" : `${element.charAt(0)}${kept}`;
}
