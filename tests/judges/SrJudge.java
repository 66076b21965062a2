// Judges many structured reports with PixelMed in one Java process: compiling its style sheets takes most of the time.
import com.pixelmed.validate.DicomSRValidator;

public class SrJudge {
    public static void main(String[] paths) throws Exception {
        DicomSRValidator validator = new DicomSRValidator();
        for (String path : paths) {
            System.out.println("FILE " + path);
            System.out.println(validator.validate(path));
        }
    }
}
